"""A store with a plausible hour of orbits: 206 channels in x and y on two lines, alarms open and closed, verdicts."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from fastapi.testclient import TestClient
from pyarrow import parquet

from lynkeus.core import Alarm
from lynkeus.monitor import tables
from lynkeus.monitor.records import Commit, Monitor, Owner, Progress, ScoredPoint
from lynkeus.monitor.store import Store
from lynkeus.web.app import create_app

NAME = "orbits <b>area [SS]</b> & 10 %"
SECOND_NS = 1_000_000_000
BPMS = 103
PLACE_M = np.linspace(2203.0, 2455.0, BPMS)
LINE = np.array(["SA1", "SA2"])[np.arange(BPMS) % 2]
CHANNELS = [f"BPME.{int(z)}.{line}/{plane}" for plane in "xy" for z, line in zip(PLACE_M, LINE, strict=True)]


def evidence(rng: np.random.Generator, faulty: int | None) -> dict[str, Any]:
    """What a watch loop writes when an alarm opens: here for one noisy channel, or for a kick of the whole orbit."""
    phase = np.concatenate([PLACE_M / 6.0 + shift + 2.0 * (LINE == "SA2") for shift in (0.0, 1.3)])
    reference = 0.12 * np.sin(phase) + 0.03 * rng.normal(size=2 * BPMS).cumsum() / 14
    sample = reference + rng.normal(0, 0.008, 2 * BPMS)
    if faulty is None:
        sample = sample + 0.09 * np.sin(phase * 1.02) * (np.concatenate([PLACE_M, PLACE_M]) > 2300)
    else:
        sample[faulty] += 0.14
    strength = np.abs(sample - reference) / 0.008
    top = np.argsort(-strength)[:8]
    text = "the whole orbit downstream of 2300 m oscillates: a kick, not one monitor"
    if faulty is not None:
        text = f"{CHANNELS[faulty]} reads 0.14 mm more than all other monitors together say it should"
    return {
        "unit": "mm",
        "channels": CHANNELS,
        "position_m": np.concatenate([PLACE_M, PLACE_M]),
        "plane": ["x"] * BPMS + ["y"] * BPMS,
        "line": [*LINE, *LINE],
        "sample": sample,
        "reference": reference,
        "evidence": strength,
        "evidence_label": "deviation from what the others say (sigma)",
        "top": [{"channel": CHANNELS[index], "evidence": strength[index]} for index in top],
        "text": text,
        "extrapolated": faulty is not None,
        "interval": [0.01, 0.07],
    }


def fill(store: Store, owner: Owner, end_ns: int) -> None:
    """An hour of windows that ends at `end_ns`: four alarms, the last one open, and one verdict."""
    rng = np.random.default_rng(7)
    lineage = {
        "scorer": "orbit",
        "model": "models/orbit-2026-05",
        "version": "0.1.0",
        "data": {"file": "orbits.h5", "sha256": "9f2c51d4a07be6"},
        "fitted_on": "2 h, 7200 windows",
        "excluded": "3 incidents, 4.1 min",
    }
    outputs = ("monitor", "beam")
    monitor = Monitor(NAME, "Orbits <SASE1> & SASE2", outputs, tuple(CHANNELS), (), "mm", 1.0, lineage)
    store.claim(monitor, owner)
    first = end_ns - 3600 * SECOND_NS
    faults = [
        ("monitor", 700, 12, 17),
        ("beam", 1500, 45, None),
        ("monitor", 2600, 6, 140),
        ("monitor", 3560, None, 60),
    ]
    scores = {output: rng.gumbel(3.0, 0.45, 3600) for output in outputs}
    for output, second, length, _ in faults:
        scores[output][second : second + (length or 40)] += 6.0
    points = [
        ScoredPoint(
            output,
            first + k * SECOND_NS,
            first + (k + 1) * SECOND_NS,
            s,
            min(3600.0, 3600 * np.exp(-(s - 3) / 0.45)),
            CHANNELS[k % 206],
        )
        for output in outputs
        for k, s in enumerate(scores[output])
    ]
    opened, closed = [], []
    for output, second, length, faulty in faults:
        start = first + second * SECOND_NS
        where = "" if faulty is None else CHANNELS[faulty]
        alarm = Alarm(output, start, start + SECOND_NS, 9.5, 0.025, where)
        opened.append((alarm, evidence(rng, faulty)))
        if length:
            closed.append(Alarm(output, start, start + SECOND_NS, 9.5, 0.025, where, start + length * SECOND_NS))
    progress = Progress(36000, end_ns, b"", None)
    store.commit(NAME, owner, Commit(progress, tuple(points), tuple(opened), (), tuple(closed), 35988, 12))
    with store.engine.begin() as connection:  # as after an hour at 10 Hz, not the microseconds that this took
        connection.execute(tables.progress.update().values(samples_per_s=9.97))
    store.add_verdict(2, "real", "N. Shifter", "corrector tripped, seen in the log as well")


@pytest.fixture
def store_url(tmp_path: Path) -> str:
    """A filled SQLite store whose monitor is alive."""
    url = f"sqlite:///{tmp_path / 'watch.db'}"
    store = Store(url)
    fill(store, Owner.here(), time.time_ns())
    store.close()
    return url


@pytest.fixture
def reports(tmp_path: Path) -> Path:
    """A commissioning table: three faults on one output, one on the other."""
    size = np.array([0.25, 0.5, 1.0, 2.0, 3.0, 5.0])
    rows = []
    for fault, output, half in (
        ("noisy", "monitor", 0.9),
        ("offset", "monitor", 1.3),
        ("stuck", "monitor", 2.0),
        ("kick", "beam", 1.0),
    ):
        for s in size:
            found = 1 / (1 + (half / s) ** 4)
            row = {"fault": fault, "size": s, "output": output, "efficiency": found, "right_place": 0.97 * found}
            rows.append(row | {"low": max(found - 0.08, 0.0), "high": min(found + 0.06, 1.0)})
    path = tmp_path / "reports" / "commissioning.parquet"
    path.parent.mkdir()
    parquet.write_table(pa.Table.from_pylist(rows), path)
    return path.parent


@pytest.fixture
def client(store_url: str, reports: Path) -> Iterator[TestClient]:
    """A client on localhost, without a token."""
    app = create_app(store_url, reports=reports)
    with TestClient(app, base_url="http://localhost", follow_redirects=False) as client:
        yield client
    app.state.site.store.close()
