"""A store with a plausible hour of orbits (206 channels, alarms, verdicts); scored images of two scans; judged runs."""

from __future__ import annotations

import json
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import uvicorn
from fastapi import FastAPI
from fastapi.testclient import TestClient
from PIL import Image
from pyarrow import parquet

from lynkeus.core import Alarm, Finding, Plot, PlotRecord, RunRecord, Verdict
from lynkeus.monitor import tables
from lynkeus.monitor.records import Commit, Monitor, Owner, ResumePoint, ScoredPoint
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
    monitor = Monitor(NAME, "Orbits <SASE1> & SASE2", outputs, tuple(CHANNELS), (), "mm", 1.0, lineage, masks=True)
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
    progress = ResumePoint(36000, end_ns, b"", None)
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


@pytest.fixture(scope="session")
def filled() -> SimpleNamespace:
    """What fills a store with alarms and runs, and a folder with scored images."""
    return SimpleNamespace(
        alarms=lambda store: fill(store, Owner.here(), time.time_ns()), runs=judged_runs, surfaces=write_surfaces
    )


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


CLASSES = {"S1": (1.5, "phd"), "S2": (4.0, "phd"), "SPE": (0.0, "phd"), "MPE": (0.6, "phd"), "SE": (1.9, "phd")}
HOSTILE = """S2 </title><script>alert("1")</script>'&/../% [MS]"""


def book_of_plots(per_class: int = 4, bins: int = 50) -> tuple[Plot, ...]:
    """Area (log) and width (linear) of each pulse class and of its sub-plots, and area against width of S2."""
    plots = []
    for group, (place, unit) in CLASSES.items():
        area, width = np.logspace(place - 1.5, place + 1.5, bins + 1), np.linspace(0.0, 10.0, bins + 1)
        for k in range(per_class):
            suffix = f" [{'SS' if k < 2 else f'section {k // 2}'}]" if k else ""
            name, edges, log = ("area", area, True) if k % 2 == 0 else ("width", width, False)
            title = HOSTILE if (group, k) == ("S2", 3) else f"{group} {name}{suffix}"
            plots.append(Plot(title, (f"{group} {name}",), (tuple(edges.tolist()),), group, (log,), unit))
    edges = (tuple(np.logspace(2.5, 5.5, 31).tolist()), tuple(np.linspace(0.0, 10.0, 25).tolist()))
    return (*plots, Plot("S2 area / width", ("S2 area", "S2 width"), edges, "S2", (True, False), "phd"))


def good_shape(plot: Plot) -> np.ndarray:
    """The share of each bin of a good run."""
    shares = []
    for edges in plot.edges:
        bins = np.arange(len(edges) + 1)
        shares.append(np.exp(-0.5 * ((bins - 0.45 * len(edges)) / (0.12 * len(edges))) ** 2))
    shape = np.multiply.outer(*shares).ravel() if len(shares) == 2 else shares[0]
    return shape / shape.sum()


def judged_run(run: str, plots: tuple[Plot, ...], seed: int, change: Finding | None = None, **more: Any) -> RunRecord:
    """A run of 2,000 events a plot; `change` moves the area of S2, or adds events to it."""
    rng = np.random.default_rng(seed)
    records = []
    for plot in plots:
        expected = 2000 * good_shape(plot)
        spread = np.sqrt(expected + (0.03 * expected) ** 2)
        truth, region = expected, {}
        if change and plot.variables[0] == change.variable:
            grid = expected.reshape(plot.shape)
            moved = np.roll(grid, 2, axis=0) if change.kind == "shifted" else grid.copy()
            if change.kind == "new":
                moved[-8:-4] += 12.0
            truth, region = moved.ravel(), dict(change.region)
        counts = rng.poisson(truth).astype(float)
        pulls = (counts - expected) / np.sqrt(spread**2 + 1)
        sigma = float(np.abs(pulls).max() if change and region else rng.gamma(2.0, 0.5))
        band = (expected - spread, expected + spread)
        flagged = bool(region) and sigma > 4
        records.append(PlotRecord(plot, counts, expected, *band, pulls, sigma, flagged, region))
    stable = tuple(Finding("none", f"{name} <b>[SS]</b>") for name in CLASSES)
    given = {"verdict": Verdict.BAD if change else Verdict.GOOD, "p_value": 1e-5 if change else float(rng.uniform())}
    given |= {"score": 1.0, "events": 2000.0, "model": "populations", "plots": tuple(records)}
    given |= {"reason": "no population changed" if change is None else "S2 <i>moved</i> or grew in its area"}
    return RunRecord(run, changes=(change, *stable) if change else stable, **given | more)


SHIFTED = Finding("shifted", "S2", "S2 area", "around 10 000 phd", 1.3, "x", 9.1, {"S2 area": (5000.0, 40000.0)})
NEW = Finding(
    "new", "S2 <b>lines</b>", "S2 area", "above 100 000 phd", 48.0, "", 6.4, {"S2 area": (1.2e5, float("inf"))}
)


def judged_runs(count: int = 12) -> list[RunRecord]:
    """An hour each; the third is shifted, the sixth has a new population and a hostile name, the eighth is short."""
    plots, records = book_of_plots(), []
    for k in range(count):
        name, change = {3: ("run 1003", SHIFTED), 6: (f"{HOSTILE}/run", NEW)}.get(k, (f"run {1000 + k}", None))
        more: dict[str, Any] = {"start_ns": 1_790_000_000_000_000_000 + k * 3600 * SECOND_NS}
        if k == 8:
            more |= {"verdict": Verdict.NOT_ENOUGH_DATA, "p_value": float("nan"), "events": 1.0}
            more |= {"messages": ("the file is still being written",), "reason": "1 event is not enough"}
        records.append(judged_run(name, plots, k, change, **more))
    return records


@pytest.fixture
def run_records() -> Callable[..., list[RunRecord]]:
    """Makes judged runs."""
    return judged_runs


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if path is None:
        pytest.skip("no Chromium on this machine: needs apt-get install chromium")
    with api.sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield running
        running.close()


@contextmanager
def run_server(app: FastAPI, config: uvicorn.Config | None = None) -> Iterator[str]:
    """Serve an application in a thread; the address."""
    config = config or uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=3)
    config.port = 0
    server = uvicorn.Server(config)
    app.state.stopping = lambda: server.should_exit
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    begun = time.monotonic()
    while not server.started:
        assert thread.is_alive(), "the server ended as it began"
        assert time.monotonic() - begun < 60.0, "the server does not begin"
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(30.0)
        server.force_exit = True  # whoever still listens is sent away
        thread.join(10.0)
        assert not thread.is_alive(), "the server does not end"
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
