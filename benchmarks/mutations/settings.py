"""Layouts, site files and lists of channels whose TOML says what it should not, and the data of the layouts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from benchmarks.mutations.strange import as_toml, changed

from lynkeus.files.model_folder import MODEL, SUMS

LAYOUT: dict[str, Any] = {
    "unit": "mm",
    "names": "orbit/names",
    "strip": "^(B+)+P",
    "missing": ["x"],
    "axes": "",
    "numbers": ["n"],
    "truth": "t",
    "weight": "w",
    "blocks": [
        {"dataset": "orbit/values", "suffix": "x", "unit": "mm", "transpose": False, "bits": 0},
        {"dataset": "BPM0/VALUE"},
    ],
    "times": {"dataset": "time_ns", "unit": "ns", "nanos": "", "day_first": True},
}
LAYOUTS: tuple[dict[str, Any], ...] = (
    LAYOUT,
    {
        "pulses": {
            "dataset": "*/wave",
            "pid": "*/pid",
            "signals": ["a"],
            "sample_rate_hz": 1e6,
            "average": 10,
            "pulse_rate_hz": 10.0,
        }
    },
    {"trains": ["*/XGM/*", "SA1*"], "instrument": "SPB"},
    {"times": {"sample_rate_hz": 10.0, "start_ns": 0}, "blocks": [{"dataset": "orbit/values"}]},
)
SITE: dict[str, Any] = {
    "store": "sqlite:///watch.db",
    "budget": "1/h",
    "title": "T",
    "place": "(?P<position>[0-9]+)",
    "call": "x",
    "keep": "400d",
    "outputs": {"monitor": "one BPM"},
    "port": 8000,
    "replay": 0.0,
    "acknowledge": True,
    "token_file": "",
    "quiet_s": 10.0,
    "service": {"give_up_after": 3, "backoff_s": 1.0, "hang_s": 60.0},
    "monitors": [
        {
            "name": "a",
            "source": "sim://orbit",
            "model": "m",
            "publish": ["nats://h/s"],
            "memory": "1 GB",
            "window": 10,
        }
    ],
}
LIST: dict[str, Any] = {
    "server": "nats://127.0.0.1:4222",
    "rate_hz": 10.0,
    "tolerance_s": 0.1,
    "wait_s": 1.0,
    "queue": 100,
    "pulse_id": "time",
    "select": ["*"],
    "subjects": ["s.*"],
    "environment": {"EPICS_PVA_ADDR_LIST": "127.0.0.1"},
    "pvs": ["A:B", {"pv": "C:D", "name": "c", "unit": "mm", "hold": True}],
}


def toml(content: dict[str, Any], random: np.random.Generator) -> bytes:
    """Return TOML that says it, parts of which are strange."""
    return as_toml(changed(content, random), random)


def write_site_model(folder: Path) -> None:
    """Write what a site file looks for in the folder of a model."""
    (folder / "m").mkdir(exist_ok=True)
    (folder / "m" / MODEL).write_text('{"view": {"window": 10}}', "utf-8")
    (folder / "m" / SUMS).touch()


def write_layout_data(path: Path) -> None:
    """Write the HDF5 file that the layouts are about."""
    import h5py

    with h5py.File(path, "w") as file:
        file["orbit/values"] = np.random.default_rng(0).normal(size=(20, 2))
        file["orbit/names"] = np.array(["BBPa", "b"], dtype=h5py.string_dtype())
        file["BPM0/VALUE"] = np.arange(20.0)
        file["C1/wave"], file["C1/pid"] = np.zeros((2, 40, 5), "f4"), np.arange(5)
        file["time_ns"], file["t"], file["w"] = 17 * 10**17 + np.arange(20) * 10**8, np.zeros(20, int), np.ones(20)
