"""Work by real processes: shared, in order, one thread each, errors carried over; they end with a killed parent."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from lynkeus.core import LynkeusError, SourceError
from lynkeus.files import workers
from lynkeus.files.workers import THREADS, Work, as_done, in_order

pytestmark = pytest.mark.slow(0.5)  # each, about: many of them, or processes of their own


class Judge:
    """Made once in a process; says where it was made, and gives the numbers of a share squared."""

    def __init__(self, folder: Path) -> None:
        (folder / str(os.getpid())).write_text("begun")

    def __call__(self, share: list[int]) -> tuple[int, list[int], list[str | None]]:
        time.sleep(0.02)
        return os.getpid(), [number**2 for number in share], [os.environ.get(name) for name in THREADS]


def refuse(word: str) -> Callable[[int], int]:
    raise SourceError(f"no model: {word}")


def fail_at(where: int, share: int) -> int:
    if share == where:
        raise SourceError(f"share {share} cannot be read")
    return share


def end_elsewhere(asking: int, share: int) -> int:
    if os.getpid() != asking:
        os.kill(os.getpid(), signal.SIGKILL)
    return share


def end_once(asking: int, folder: Path, share: int) -> int:
    """The first share that another process has kills it."""
    if os.getpid() != asking and not (folder / "ended").exists():
        (folder / "ended").touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return share


def slowly(share: int) -> int:
    time.sleep(0.1)
    return share


SHARES = [[3 * number, 3 * number + 1, 3 * number + 2] for number in range(60)]
SQUARES = [[number**2 for number in share] for share in SHARES]


def test_all_shares_are_done_in_order_by_all_processes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in THREADS:
        monkeypatch.delenv(name, raising=False)
    found = in_order(Work(Judge, (tmp_path,)), SHARES, 3)
    assert [squares for _, squares, _ in found] == SQUARES
    made = {int(path.name) for path in tmp_path.iterdir()}
    assert {process for process, _, _ in found} == made
    assert os.getpid() in made
    assert 2 <= len(made) <= 3
    assert all(threads == ["1"] * 3 for process, _, threads in found if process != os.getpid())
    assert not any(name in os.environ for name in THREADS)


def test_what_the_user_says_of_threads_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in THREADS:
        monkeypatch.setenv(name, "2")
    assert all(threads == ["2"] * 3 for _, _, threads in in_order(Work(Judge, (tmp_path,)), SHARES[:4], 2))


def test_results_come_as_they_are_done_and_the_own_worker_is_used(tmp_path: Path) -> None:
    ticks: list[float] = []
    (tmp_path / "own").mkdir()
    work = Work(Judge, (tmp_path,), Judge(tmp_path / "own"), lambda: ticks.append(time.monotonic()))
    found = dict(as_done(work, SHARES, 2))
    assert sorted(found) == list(range(60))
    assert [found[number][1] for number in range(60)] == SQUARES
    assert not (tmp_path / str(os.getpid())).exists()


@pytest.mark.parametrize("processes", [1, 4])
def test_few_shares_and_one_process_start_no_other(tmp_path: Path, processes: int) -> None:
    shares = SHARES if processes == 1 else SHARES[:1]
    assert {process for process, _, _ in in_order(Work(Judge, (tmp_path,)), shares, processes)} == {os.getpid()}
    assert in_order(Work(Judge, (tmp_path,)), [], processes) == []


@pytest.mark.parametrize("processes", [1, 2])
def test_errors_are_carried_over(processes: int) -> None:
    for where in (0, 8):
        with pytest.raises(SourceError, match=f"share {where} cannot be read"):
            in_order(Work(partial, (fail_at, where)), range(9), processes)
    with pytest.raises(SourceError, match="no model: here"):
        in_order(Work(refuse, ("here",), int if processes == 2 else None), range(9), processes)


def test_processes_that_are_killed_again_and_again_are_told_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "FRUITLESS", 1)
    with pytest.raises(LynkeusError, match="were killed, perhaps for want of memory: take fewer processes"):
        in_order(Work(partial, (end_elsewhere, os.getpid()), slowly), range(40), 2)


def test_what_a_killed_process_had_is_done_by_another(tmp_path: Path) -> None:
    work = Work(partial, (end_once, os.getpid(), tmp_path), slowly)
    assert in_order(work, range(30), 2) == list(range(30))
    assert (tmp_path / "ended").exists()


def test_one_may_stop_asking(tmp_path: Path) -> None:
    results = as_done(Work(Judge, (tmp_path,)), SHARES, 2)
    next(results)
    results.close()  # type: ignore[attr-defined]
    assert len(list(tmp_path.iterdir())) <= 2


def test_another_backend_does_the_same(tmp_path: Path) -> None:
    @contextmanager
    def threads(work: Work, count: int) -> Iterator[Callable[[list[int]], Future]]:
        with ThreadPoolExecutor(count) as pool:
            does = work.begin(*work.given)
            yield lambda share: pool.submit(does, share)

    found = in_order(Work(Judge, (tmp_path,)), SHARES, 3, threads)
    assert [squares for _, squares, _ in found] == SQUARES


SLOW = """
import sys, os, time
from pathlib import Path
from functools import partial
from lynkeus.files.workers import Work, in_order
def slow(folder, share):
    (Path(folder) / str(os.getpid())).write_text("begun")
    time.sleep(120)
if __name__ == "__main__":
    in_order(Work(partial, (slow, sys.argv[1])), range(9), 3)
"""


def alive(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().split()[2] != "Z"
    except OSError:
        return False


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_processes_end_with_a_killed_parent(tmp_path: Path) -> None:
    (tmp_path / "slow.py").write_text(SLOW)
    (tmp_path / "begun").mkdir()
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    asking = subprocess.Popen([sys.executable, tmp_path / "slow.py", tmp_path / "begun"], env=environment)
    until = time.monotonic() + 60
    while len(list((tmp_path / "begun").iterdir())) < 3 and time.monotonic() < until:
        time.sleep(0.05)
    processes = [int(path.name) for path in (tmp_path / "begun").iterdir()]
    living = list(map(alive, processes))
    asking.kill()
    asking.wait(30.0)
    assert living == [True] * 3
    until = time.monotonic() + 10
    while any(map(alive, processes)) and time.monotonic() < until:
        time.sleep(0.05)
    assert not any(map(alive, processes))
