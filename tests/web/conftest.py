"""A store with a plausible hour of orbits (206 channels in x and y, alarms, verdicts); scored images of two scans."""

from __future__ import annotations

import json
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import uvicorn
from fastapi import FastAPI
from fastapi.testclient import TestClient
from PIL import Image
from pyarrow import parquet

from lynkeus.core import Alarm
from lynkeus.monitor import tables
from lynkeus.monitor.records import Commit, Monitor, Owner, Progress, ScoredPoint
from lynkeus.monitor.store import Store
from lynkeus.web.app import create_app

NAME = "orbits <b>area [SS]</b> & 10 %"
SECOND_NS = 1_000_000_000
GOOD = ("red", "green", "gone")  # good images
BPMS = 103
PLACE_M = np.linspace(2203.0, 2455.0, BPMS)
LINE = np.array(["SA1", "SA2"])[np.arange(BPMS) % 2]
FLAGS = ["--headless", "--no-sandbox", "--disable-quic", "--disable-background-networking"]
FLAGS += ["--disable-component-update", "--disable-sync"]
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


def write_surfaces(folder: Path, cells: int = 2, angles: int = 6, size: tuple[int, int] = (160, 120)) -> Path:
    """Two scans of a cavity whose name is HTML: images, maps, scores, a latent map; where the scores lie.

    Image 1 of cell 1 has a clear spot at x 40, y 30 in both scans. The good images most like the first spots are flat:
    red, green, and one that is missing.
    """
    (folder / "normals" / "[a]").mkdir(parents=True)
    good = [{"file": f"[a]/<i>{name} &.png", "x": 9.0, "y": 20.0, "distance": 5.5} for name in GOOD]
    for name, one in zip(GOOD[:2], good[:2], strict=True):
        Image.new("RGB", size, name).save(folder / "normals" / one["file"])
    rng = np.random.default_rng(3)
    width, height = size
    y, x = np.mgrid[:height, :width]
    rows, points = [], []
    for scan, day in (("before", 1), ("after", 2)):
        for cell in range(1, cells + 1):
            for k in range(angles):
                file = f"{scan}/area [SS] <i>ä</i> '{cell}'/{k:04d}.jpg"
                spot = 6.0 * (cell == 1 and k == 1)
                bump = np.exp(-((x - width / 4) ** 2 + (y - height / 4) ** 2) / (2 * 3.0**2))
                grey = 120 + 8 * rng.normal(size=(height, width)) + 15 * spot * bump
                (folder / "images" / file).parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(np.stack([grey * s for s in (1.1, 1.0, 0.8)], -1).clip(0, 255).astype(np.uint8)).save(
                    folder / "images" / file, quality=90
                )
                map_file = f"{scan}-{cell}-{k}.npy"
                (folder / "maps").mkdir(exist_ok=True)
                sigma = rng.normal(size=(height, width)) + 1.6 * spot * bump
                np.save(folder / "maps" / map_file, sigma.astype(np.float32))
                about = {"cavity": "<b>CAV</b> & 7", "scan": scan, "time": f"2015-03-0{day}", "cell": cell}
                about |= {"angle_deg": 360.0 * k / angles + (0.5 if scan == "after" else 0.0), "vendor": "ab"[cell % 2]}
                rows.append(
                    {"file": file, **about, "anomaly": 3.0 + spot + rng.normal() / 3, "p_value": 0.001 if spot else 0.4}
                    | {
                        "spot1_x": width / 4,
                        "spot1_y": height / 4,
                        "spot1_sigma": 1.6 * spot or 3.1,
                        "spot1_area": 60.0,
                        "spot1_good": json.dumps(good),
                    }
                    | {
                        "spot2_x": 0.75 * width,
                        "spot2_y": 10.0,
                        "spot2_sigma": 3.0,
                        "spot2_area": 4.0,
                        "spot2_good": "",
                    }
                    | {f"spot3_{name}": float("nan") for name in ("x", "y", "sigma", "area")}
                    | {"map": map_file}
                )
                points += [{"file": file, "x": rng.normal(), "y": cell, "method": m} for m in ("PCA", "t-SNE")]
    said = {name: str(folder / name) for name in ("images", "maps", "normals")}
    said |= {"model": "", "position": "", "time": "time"}
    table = pa.Table.from_pylist(rows).replace_schema_metadata({b"lynkeus": json.dumps(said)})
    parquet.write_table(table, folder / "scores.parquet")
    parquet.write_table(pa.Table.from_pylist(points), folder / "latent.parquet")
    return folder / "scores.parquet"


@pytest.fixture
def surfaces() -> Callable[..., Path]:
    """Writes scored images."""
    return write_surfaces


@pytest.fixture
def scores(tmp_path: Path) -> Path:
    """24 small scored images in a folder of their own."""
    folder = tmp_path / "surfaces"
    folder.mkdir()
    return write_surfaces(folder)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if path is None:
        pytest.skip("no Chromium on this machine")
    with api.sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield running
        running.close()


@contextmanager
def run_server(app: FastAPI) -> Iterator[str]:
    """Serve an application in a thread; the address."""
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="warning", timeout_graceful_shutdown=3))
    app.state.stopping = lambda: server.should_exit
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()
        app.state.site.store.close()


@pytest.fixture
def serving() -> Callable[[FastAPI], AbstractContextManager[str]]:
    return run_server


class Watched:
    """A page that remembers every complaint and every request that leaves this machine."""

    def __init__(self, browser: Any, address: str, **context: Any) -> None:
        self.context = browser.new_context(**context)
        self.page = self.context.new_page()
        self.complaints: list[str] = []
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", lambda request: self._check(request.url, address))

    def _check(self, url: str, address: str) -> None:
        if not url.startswith((address, "data:", "blob:")):
            self.complaints.append(f"external request: {url}")

    def close(self) -> None:
        self.context.close()
        assert self.complaints == []


@pytest.fixture
def watch(browser: Any) -> Callable[..., Watched]:
    """Opens a page of an address that remembers complaints."""
    return lambda address, **context: Watched(browser, address, **context)
