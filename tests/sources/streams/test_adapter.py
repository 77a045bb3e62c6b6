"""A control system by an adapter: values as DOOCS gives them, joined by macropulse, lost and back."""

import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lynkeus.core import SettingsError
from lynkeus.core.batch import concatenate
from lynkeus.sources import open_source

NAMES = ("XFEL/BPM/A/X", "XFEL/BPM/B/X", "XFEL/WAVE/C/Y")


def lines(pulse: int) -> str:
    """Stamps of the second one are a second behind: the macropulse joins them."""
    now = time.time()
    values = (f"{pulse}", f"{-pulse}", f"{pulse} 1 2")
    stamps = (now, now - 1.0, now)
    parts = zip(NAMES, stamps, values, strict=True)
    return "".join(f"{name} {pulse} {at:.6f} {value}\n" for name, at, value in parts)


def test_values_of_doocs_are_joined_by_macropulse_and_an_outage_is_masked(tmp_path: Path) -> None:
    file = tmp_path / "doocs.txt"
    file.write_text(lines(999))

    def write() -> None:
        with file.open("a") as out:
            for pulse in range(1000, 1060):
                out.write(lines(pulse))
                out.flush()
                time.sleep(0.02)
        file.rename(tmp_path / "away")
        time.sleep(0.7)
        with file.open("a") as out:
            out.write("XFEL/BPM/A/X what\n")
            for pulse in range(1100, 1140):
                out.write(lines(pulse))
                out.flush()
                time.sleep(0.02)

    writer = threading.Thread(target=write)
    writer.start()
    source: Any = open_source(f"doocs+file://{file}?connect_s=0.5&rate_hz=50&lost_s=0.3")
    assert source.schema.names == (*NAMES[:2], *(f"{NAMES[2]}[{k}]" for k in range(3)))
    source.for_s, rows = 20.0, []
    for batch in source:
        rows.append(batch)
        if (batch.values[:, 0] == 1139).any():
            break
    source.close()
    writer.join()
    values = concatenate(rows).values
    there = values[np.isfinite(values).all(axis=1)]
    np.testing.assert_array_equal(there[:, 1], -there[:, 0])
    np.testing.assert_array_equal(there[:, 2], there[:, 0])
    pulses = there[:, 0].astype(int).tolist()
    assert pulses == sorted(set(pulses))
    assert len(pulses) > 40
    assert "is not connected (No such file or directory)" in "\n".join(source.messages)


def test_a_file_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"none\.txt: cannot be read"):
        open_source(f"doocs+file://{tmp_path}/none.txt")
