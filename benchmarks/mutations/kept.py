"""What Lynkeus itself wrote, model folders and stores, whose checksums fit and whose content does not."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import sqlalchemy as sa
from benchmarks.mutations.arrays import strange_number
from benchmarks.mutations.strange import changed, patched, strange
from safetensors.numpy import load_file, save_file

from lynkeus.core import AlarmRule, Batch, Schema
from lynkeus.files.model_folder import write_model
from lynkeus.fitting.fit import FitSettings, fit
from lynkeus.fitting.fitted import Fitted
from lynkeus.monitor import store as store_module
from lynkeus.monitor.database import open_engine
from lynkeus.monitor.records import Owner
from lynkeus.monitor.standing import list_standing
from lynkeus.monitor.store import Store
from lynkeus.monitor.watch import WatchSettings, watch
from lynkeus.sources import InMemory

START_NS = 1_700_000_000_000_000_000
ENGINES: dict[str, tuple[sa.Engine, str]] = {}
SCORERS = ("three_sigma", "mahalanobis", "isolation_forest", "conditional_residual", "nearest_neighbours", "table")


def rows(count: int, first: int = 0, fault: bool = False) -> InMemory:
    """Return rows of four channels at 10 Hz."""
    values = np.random.default_rng(first).normal(size=(count, 4)).astype(np.float32)
    values[100:120, 2] += 12.0 * fault
    time_ns = START_NS + (first + np.arange(count)) * 10**8
    return InMemory(Batch(Schema("table", tuple("abcd"), ("mm",), (4,), 10.0), values, time_ns), 100)


def write_models(folder: Path) -> list[Path]:
    """Fit a model of each of some scorers."""
    made = []
    for name in SCORERS:
        fit(rows(600), FitSettings(name)).save(folder / name)
        made.append(folder / name)
    return made


def damage_model(whole: Path, target: Path, random: np.random.Generator) -> None:
    """Write a model folder of which one file says something else; its checksums fit."""
    files = [
        path.relative_to(whole) for path in sorted(whole.rglob("*")) if path.is_file() and path.name != "SHA256SUMS"
    ]
    file = files[int(random.integers(len(files)))]
    shutil.rmtree(target, ignore_errors=True)

    def write(folder: Path) -> None:
        shutil.copytree(whole, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("SHA256SUMS"))
        own = folder / file
        if own.suffix == ".json" and random.random() < 0.8:
            own.write_text(json.dumps(changed(json.loads(own.read_text("utf-8")), random)), "utf-8")
        elif own.suffix == ".safetensors" and random.random() < 0.7:
            arrays = load_file(own)
            name = str(random.choice(sorted(arrays)))
            what = int(random.integers(4))
            if what == 0:
                arrays[name] = np.array([strange_number(random)]).astype(arrays[name].dtype)
            elif what == 1 and arrays[name].size:
                flat = np.array(arrays[name]).ravel()
                flat[int(random.integers(flat.size))] = (
                    strange_number(random) if flat.dtype.kind == "f" else int(random.choice([-1, 0, 100, 127]))
                )
                arrays[name] = flat.reshape(arrays[name].shape)
            elif what == 2:
                arrays[name] = np.ascontiguousarray(np.array(arrays[name]).ravel()[: int(random.integers(1, 6))])
            else:
                del arrays[name]
            with np.errstate(all="ignore"):
                save_file(arrays, own)
        else:
            own.write_bytes(patched(own.read_bytes(), random))

    with np.errstate(all="ignore"):
        write_model(target, write)


def read_model(folder: Path) -> None:
    """Load it and score with it."""
    for _ in Fitted.load(folder).score(rows(30, 5000)):
        pass


def write_store(path: Path) -> None:
    """Write a store of a monitor with an alarm."""
    fitted, store = fit(rows(1000), FitSettings("three_sigma")), Store(f"sqlite:///{path}")
    watch(fitted, rows(400, 2000, fault=True), store, WatchSettings("one", rule=AlarmRule(60.0)))
    store.close()
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.execute("PRAGMA journal_mode=DELETE")


def damage_store(data: bytes, target: Path, random: np.random.Generator) -> None:
    """Write a store of which bytes, or entries of rows, or tables are something else."""
    for beside in target.parent.glob(f"{target.name}*"):
        beside.unlink()
    if random.random() < 0.35:
        target.write_bytes(patched(data, random))
        return
    target.write_bytes(data)
    with sqlite3.connect(target) as connection:
        connection.execute("PRAGMA journal_mode=OFF")
        connection.execute("PRAGMA synchronous=OFF")
        connection.execute("PRAGMA foreign_keys=OFF")
        for _ in range(int(random.integers(1, 3))):
            _damage(connection, random)
    connection.close()


def _damage(connection: sqlite3.Connection, random: np.random.Generator) -> None:
    filled = [
        name
        for (name,) in connection.execute(
            "SELECT name FROM sqlite_master WHERE type='table' AND name NOT LIKE 'sqlite%'"
        )
    ]
    filled = [name for name in filled if connection.execute(f'SELECT 1 FROM "{name}" LIMIT 1').fetchone()]
    table = str(random.choice(filled))
    columns = [row[1] for row in connection.execute(f'PRAGMA table_info("{table}")')]
    column = str(random.choice(columns))
    what = random.random()
    if what < 0.05:
        connection.execute(f'DROP TABLE "{table}"')
        return
    if what < 0.1:
        connection.execute(f'DELETE FROM "{table}"')
        return
    (old,) = connection.execute(f'SELECT "{column}" FROM "{table}" LIMIT 1').fetchone()
    value: object = strange(random)
    if isinstance(old, str) and old[:1] in ("{", "[") and random.random() < 0.7:
        value = json.dumps(changed(json.loads(old), random))
    if isinstance(old, bytes) and random.random() < 0.7:
        value = patched(old, random)
    if isinstance(value, list | dict):
        value = json.dumps(value)
    if isinstance(value, int) and abs(value) >= 2**63:
        value = float(value) if abs(value) < 10**300 else 1e308
    if isinstance(value, str):
        value = value.encode("utf-8", "replace").decode()
    try:
        connection.execute(f'UPDATE "{table}" SET "{column}" = ?', (value,))
    except sqlite3.Error:
        return


def engine_of(url: str) -> tuple[sa.Engine, str]:
    """Open an engine that was once connected; it is closed with its store, and SQL is written out once for all."""
    if url not in ENGINES:
        found = open_engine(url)
        try:
            found[0].connect().close()
        except sa.exc.DBAPIError:
            return found
        ENGINES[url] = found
    return ENGINES[url]


def read_store(path: Path) -> None:
    """Read it as pages do, and claim it as a watch does."""
    store_module.open_engine = engine_of
    store = Store(f"sqlite:///{path}")
    try:
        for pulse in store.monitors():
            for output in pulse.monitor.outputs[:3]:
                store.points(pulse.monitor.name, output)
            list_standing(store, pulse.monitor.name)
            store.claim(pulse.monitor, Owner.here())
        for one in store.alarms():
            store.alarm(one.id)
    finally:
        store.close()


def files_of(folder: Path) -> Iterator[Path]:
    """Yield the files of a folder."""
    yield from sorted(path for path in folder.rglob("*") if path.is_file())
