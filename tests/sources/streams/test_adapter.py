"""A control system by an adapter: values as DOOCS gives them, joined by macropulse, lost and back."""

import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lynkeus.core import SettingsError
from lynkeus.core.batch import concatenate
from lynkeus.sources import open_source
from lynkeus.sources.streams.adapter import Polled, Reading
from lynkeus.sources.streams.update import Update

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

    writer = threading.Thread(target=write, daemon=True)
    writer.start()
    source: Any = open_source(f"doocs+file://{file}?connect_s=0.5&rate_hz=50&lost_s=0.3")
    assert source.schema.names == (*NAMES[:2], *(f"{NAMES[2]}[{k}]" for k in range(3)))
    source.for_s, rows = 20.0, []
    for batch in source:
        rows.append(batch)
        if (batch.values[:, 0] == 1139).any():
            break
    source.close()
    writer.join(30.0)
    assert not writer.is_alive()
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


class Broken:
    """An adapter whose library raises what nobody thought of, now and then."""

    def __init__(self) -> None:
        self.asked = 0

    def read(self, addresses: Sequence[str]) -> list[Reading]:
        self.asked += 1
        if self.asked == 2:
            raise KeyError("no such record\nand more")
        return [Reading("A", 0, time.time_ns(), float(self.asked))]


def test_an_error_that_nobody_thought_of_is_said_and_asked_again() -> None:
    polled, found = Polled(Broken()), list[Update]()
    polled.begin(("A",), found.append)
    until = time.monotonic() + 20
    while len(found) < 4 and time.monotonic() < until:
        time.sleep(0.02)
    polled.close()
    assert [one.says for one in found[:2]] == ["", "is not connected (KeyError: 'no such record\\nand more')"]
    assert found[3].value >= 3.0


def trains(port: int, stop: threading.Event) -> None:
    """A Karabo bridge, as its protocol 2 says: a header and its data for each source and each array."""
    import msgpack
    import zmq

    context = zmq.Context()
    with context.socket(zmq.REP) as bridge:
        bridge.setsockopt(zmq.LINGER, 0)
        bridge.bind(f"tcp://127.0.0.1:{port}")
        for train in range(5000, 9000):
            while not bridge.poll(50):
                if stop.is_set():
                    break
            if stop.is_set():
                break
            bridge.recv()
            stamp = {
                "timestamp.tid": train,
                "timestamp.sec": str(int(time.time())),
                "timestamp.frac": "50000000000000000",
            }
            parts = []
            for source, values in (
                ("XGM/A", {"x.value": float(train), "name.value": "n"}),
                ("BPM/B", {"y": [1.0, 2.0]}),
            ):
                about = {"source": source, "content": "msgpack", "metadata": stamp}
                parts += [msgpack.packb(about), msgpack.packb(values)]
            array = np.full((2, 3), train, np.uint16)
            for path, given in (("image", array), ("pulses", array[0])):
                about = {"source": "BPM/B", "content": "array", "path": path, "dtype": "uint16", "shape": given.shape}
                parts += [msgpack.packb(about), given.tobytes()]
            time.sleep(0.02)
            bridge.send_multipart(parts)
    context.term()


def test_trains_of_a_karabo_bridge_and_none_there() -> None:
    zmq = pytest.importorskip("zmq")
    pytest.importorskip("msgpack")
    with zmq.Context() as context, context.socket(zmq.REP) as free:
        port = free.bind_to_random_port("tcp://127.0.0.1")
    stop = threading.Event()
    bridge = threading.Thread(target=trains, args=(port, stop), daemon=True)
    bridge.start()
    with pytest.raises(SettingsError, match=r"select=\*NO\* matches none of 3 channels, such as BPM/B/pulses"):
        _ = open_source(f"karabo-bridge://127.0.0.1:{port}?select=*NO*").schema
    source: Any = open_source(f"karabo-bridge://127.0.0.1:{port}?connect_s=2&rate_hz=50")
    names = ("BPM/B/pulses[0]", "BPM/B/pulses[1]", "BPM/B/pulses[2]", "BPM/B/y[0]", "BPM/B/y[1]", "XGM/A/x")
    assert source.schema.names == names
    source.for_s, rows = 20.0, []
    for batch in source:
        rows.append(batch)
        if sum(map(len, rows)) > 40:
            break
    source.close()
    stop.set()
    bridge.join(30.0)
    assert not bridge.is_alive()
    values = concatenate(rows).values
    np.testing.assert_array_equal(np.diff(values[:, 5]), 1.0)  # every train, once
    np.testing.assert_array_equal(values[:, 0], values[:, 5])
    with pytest.raises(SettingsError, match="does not answer; check the address"):
        _ = open_source("karabo-bridge://127.0.0.1:1").schema
