"""Work by several processes: shares of it go to spawned ones that end with their parent, which works too.

A backend is a function that makes a place where shares are done elsewhere: `spawned` here, a cluster (`cluster`).
"""

from __future__ import annotations

import multiprocessing
import os
import threading
import time
import uuid
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import AbstractContextManager, contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from typing import Any, Generic, TypeVar

from lynkeus.core import LynkeusError
from lynkeus.files.at_work import shared_by

_ALLOWED: ContextVar[int] = ContextVar("processes", default=1)
_STARTED: ContextVar[list[tuple[int, ProcessPoolExecutor]]] = ContextVar("started")
Share = TypeVar("Share")
Result = TypeVar("Result")
AHEAD = 2  # shares that each process has: the one it does, and the next
AT_A_CLUSTER = 500  # parcels that a backend is given ahead: its workers may be many, and come and go
FIRST_PARCELS = 32  # before it is known how long a share takes
PARCEL_S = 0.5  # that a parcel should take
FRUITLESS = 5  # times that the others are killed before they have done anything
KILLED = "processes that did a part of the work were killed, perhaps for want of memory: take fewer processes"
POLL_S = 0.2
THREADS = tuple(f"{library}_NUM_THREADS" for library in ("OMP", "OPENBLAS", "MKL"))


@dataclass(frozen=True)
class Work(Generic[Share, Result]):
    """What is done with each share: `begin(*given)`, called once in a process, gives the function that does it.

    So a model is read once in each process; `begin` is a function of a module, and `given`, the shares and the results
    can be pickled. `here`: that function where the asking process has it already. `tick` is called now and then while
    the asking process only waits for others, to show how far they are.
    """

    begin: Callable[..., Callable[[Share], Result]]
    given: tuple[Any, ...] = ()
    here: Callable[[Share], Result] | None = None
    tick: Callable[[], None] | None = None


Submit = Callable[[Any], "Future[Any]"]
Backend = Callable[[Work[Any, Any], int], AbstractContextManager[Submit]]


def as_done(
    work: Work[Share, Result],
    shares: Sequence[Share],
    processes: int = 1,
    backend: Backend | None = None,
) -> Iterator[tuple[int, Result]]:
    """Give the number and the result of each share as they are done; the asking process is one of the `processes`.

    A `backend` does all of it, and the asking process waits. What `begin` or a share raises is raised here. What a
    process had when it was killed is done by the asking one. Raises LynkeusError where the others are killed again and
    again before they have done anything.
    """
    others, here = min(processes, len(shares)) - 1, work.here
    if not shares or (others < 1 and backend is None):
        here = here or work.begin(*work.given)
        for number, share in enumerate(shares):
            yield number, here(share)
        return
    if backend is not None:
        yield from _far_away(work, shares, backend)
        return
    shared_by(others + 1)
    left, waiting, again = deque(range(len(shares))), dict[Future[Result], int](), list[int]()
    fruitless = 0  # how often the others were killed since one of them had done a share
    with spawned(work, max(others, 1)) as submit:
        while left or waiting or again:
            while left and len(waiting) < AHEAD * others:
                number = left.popleft()
                waiting[submit(shares[number])] = number
            mine = again.pop() if again else left.popleft() if left else None
            if mine is None:
                wait(waiting, POLL_S, FIRST_COMPLETED)
                if work.tick is not None:
                    work.tick()
            else:
                here = here or work.begin(*work.given)  # the others have begun by now
                yield mine, here(shares[mine])
            broken: BaseException | None = None
            for future in [future for future in waiting if future.done()]:
                number = waiting.pop(future)
                if isinstance(error := future.exception(), BrokenProcessPool):
                    again.append(number)  # the asking process does it: the others may be killed once more
                    broken = error
                else:
                    fruitless = 0
                    yield number, future.result()
            if broken is not None:
                fruitless += 1
                if fruitless == FRUITLESS:
                    raise LynkeusError(KILLED) from broken


def _far_away(work: Work[Share, Result], shares: Sequence[Share], backend: Backend) -> Iterator[tuple[int, Result]]:
    """Let a cluster do all shares; short ones go several at a time, since each parcel costs it some milliseconds."""
    left, size, ahead = deque(range(len(shares))), 1, FIRST_PARCELS
    waiting = dict[Future[tuple[float, list[Result]]], list[int]]()
    with backend(Work(_several, (work.begin, work.given)), 1) as submit:
        while left or waiting:
            while left and len(waiting) < ahead:
                fair = max(1, len(left) // FIRST_PARCELS)  # so that many workers end together
                numbers = [left.popleft() for _ in range(min(size, fair))]
                waiting[submit([shares[number] for number in numbers])] = numbers
            wait(waiting, POLL_S, FIRST_COMPLETED)
            if work.tick is not None:
                work.tick()
            for future in [future for future in waiting if future.done()]:
                numbers = waiting.pop(future)
                seconds, results = future.result()
                size, ahead = max(1, int(PARCEL_S * len(numbers) / max(seconds, 1e-6))), AT_A_CLUSTER
                yield from zip(numbers, results, strict=True)


def _several(begin: Callable[..., Callable[[Any], Any]], given: tuple[Any, ...]) -> Callable[[list[Any]], Any]:
    return partial(_each, begin(*given))


def _each(does: Callable[[Any], Any], shares: list[Any]) -> tuple[float, list[Any]]:
    """Do several shares; with the seconds that they took."""
    begun = time.perf_counter()
    results = [does(share) for share in shares]
    return time.perf_counter() - begun, results


def in_order(
    work: Work[Share, Result],
    shares: Sequence[Share],
    processes: int = 1,
    backend: Backend | None = None,
) -> list[Result]:
    """Return the results of all shares, in the order of the shares, whoever did them. Raises as `as_done`."""
    return [result for _, result in sorted(as_done(work, shares, processes, backend), key=lambda done: done[0])]


@contextmanager
def several_processes(most: int = 2) -> Iterator[None]:
    """Allow what is computed within to take so many processes, no more than there are processors: a program that does
    not say so, and may not be safe to be imported again, has one."""
    token = _ALLOWED.set(max(1, min(most, os.cpu_count() or 1)))
    try:
        yield
    finally:
        _ALLOWED.reset(token)


def processes_allowed() -> int:
    """Return how many processes may be taken here."""
    return _ALLOWED.get()


@contextmanager
def started(processes: int, modules: Sequence[str]) -> Iterator[None]:
    """Start the other ones of so many processes now, which import modules while this one reads what it needs itself;
    the first work within takes them. Without this they start at the first share, and so do more than there are
    processors: there may be fewer shares."""
    others = processes - 1
    if not 0 < others < (os.cpu_count() or 1):
        yield
        return
    pool = ProcessPoolExecutor(others, multiprocessing.get_context("spawn"), _begin)
    with _one_thread():
        for _ in range(others):
            pool.submit(_import, modules)
    token = _STARTED.set([(others, pool)])
    try:
        yield
    finally:
        _STARTED.reset(token)
        pool.shutdown(cancel_futures=True)


@contextmanager
def spawned(work: Work[Share, Result], count: int) -> Iterator[Submit]:
    """Spawn processes, each with one thread for linear algebra; what no process has begun is dropped at the end."""
    pools, key = list[ProcessPoolExecutor](), uuid.uuid4().hex

    def again() -> None:
        pools.append(ProcessPoolExecutor(count, multiprocessing.get_context("spawn"), _begin))

    def give(share: Share) -> Future[Result]:
        return pools[-1].submit(_do, key, work.begin, work.given, share)

    def submit(share: Share) -> Future[Result]:
        with _one_thread():  # a process starts at a first share, and inherits this
            try:
                return give(share)
            except BrokenProcessPool:  # one of them was killed, and Python ends all others
                pools[-1].shutdown()
                again()
                return give(share)

    waiting = _STARTED.get([])
    if waiting and waiting[0][0] == count:
        pools.append(waiting.pop()[1])
    else:
        again()
    try:
        yield submit
    finally:
        pools[-1].shutdown(cancel_futures=True)


@contextmanager
def _one_thread() -> Iterator[None]:
    """Tell what is started within to use one thread, unless the user says otherwise: what is parallel are processes."""
    added = [name for name in THREADS if name not in os.environ]
    os.environ.update(dict.fromkeys(added, "1"))
    try:
        yield
    finally:
        for name in added:
            os.environ.pop(name, None)


_made: tuple[str, Callable[[Any], Any]] | None = None  # what does the shares of a work, in a process that was spawned


def _begin() -> None:
    """Prepare a new process."""
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _import(modules: Sequence[str]) -> None:
    """Import what the work will need; where that fails, the work will say so."""
    for name in modules:
        with suppress(Exception):
            import_module(name)


def _end_with_parent() -> None:
    """End this process when its parent was killed: it would wait for work for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _do(key: str, begin: Callable[..., Callable[[Any], Any]], given: tuple[Any, ...], share: Any) -> Any:
    """Do a share; what `begin` makes is made at the first one, so that its errors are carried over."""
    global _made
    if _made is None or _made[0] != key:
        _made = (key, begin(*given))
    return _made[1](share)
