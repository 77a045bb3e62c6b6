"""Work by a cluster: shares go to the workers of a Dask scheduler and come back to the process that asks.

The ledger is the asking command's own (`Journal`): a worker that is killed costs the shares that it had, which others
do again; after the scheduler or the command was killed, the same command goes on. Dask carries shares as pickles
between processes that trust one another: use a cluster of your own, with TLS (Dask's `security`) on a shared network.
"""

from __future__ import annotations

import logging
import os
import re
import shutil
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, Future
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from functools import partial
from queue import SimpleQueue
from typing import Any
from urllib.parse import parse_qsl
from weakref import WeakSet

import lynkeus
from lynkeus.core.errors import LynkeusError, SettingsError
from lynkeus.core.extras import needing
from lynkeus.files.at_work import shared_by
from lynkeus.files.workers import THREADS, Backend, Submit, Work

SCHEME = "dask://"
ADDRESS = re.compile(r"(tcp|tls|ws|wss)://[^/\s]+:\d+")
QUEUES = {
    "slurm": ("SLURMCluster", "sbatch"),
    "htcondor": ("HTCondorCluster", "condor_submit"),
    "pbs": ("PBSCluster", "qsub"),
    "lsf": ("LSFCluster", "bsub"),
}
WHOLE = ("jobs", "cores", "processes")  # numbers among the options of a queue
OPTIONS = (*WHOLE, "memory", "disk", "walltime", "queue", "account", "interface", "log_directory")
# Shares are parallel, not what is within one; and a worker need not look a hundred times a second what it does.
PROLOGUE = (*(f"export {name}=1" for name in THREADS), "export DASK_DISTRIBUTED__WORKER__PROFILE__ENABLED=False")
USUAL = {"jobs": 1, "cores": 1, "memory": "4GB"}
CONNECT_S, WORKERS_S, QUEUE_S = 10.0, 60.0, 6 * 3600.0
GONE_S = 300.0  # in which a worker that was killed is started again, also on a machine that is busy
TRIES = 5  # each of them may cost so many workers as Dask allows (three)
GONE = "is gone; start it and the same command again: it goes on where it was"
HOW = "give a number of processes, a cluster as dask://tcp://HOST:PORT, or jobs as slurm://?jobs=10&cores=8&memory=16GB"


def workers_of(text: str) -> tuple[int, Backend | None]:
    """Return how many processes of this machine `--workers` asks for, or 1 and a cluster: the one that answers at
    `dask://tcp://HOST:PORT`, or jobs of a batch system (`slurm://?jobs=10&cores=8&memory=16GB`; htcondor, pbs, lsf)
    that end with the command. Raises SettingsError for anything else."""
    scheme, given, rest = text.partition("://")
    if f"{scheme}://" == SCHEME:
        address = rest if "://" in rest else f"tcp://{rest}"
        if not ADDRESS.fullmatch(address):
            raise SettingsError(f"--workers {text}: give the address of its scheduler, dask://tcp://HOST:PORT")
        return 1, partial(at_cluster, address, partial(nullcontext, address))
    if given and scheme in QUEUES:
        return 1, partial(at_cluster, scheme, partial(_queued, scheme, _options(text, rest.removeprefix("?"))))
    if not text.strip().isdecimal() or len(text) > 5:
        raise SettingsError(f"--workers {text}: {HOW}")
    if not int(text):
        raise SettingsError("--workers: processes must be at least 1, got 0")
    return int(text), None


def _options(text: str, query: str) -> dict[str, Any]:
    """Return the options of a batch system."""
    options: dict[str, Any] = dict(parse_qsl(query, keep_blank_values=True))
    for name, value in options.items():
        if name not in OPTIONS:
            raise SettingsError(f"--workers {text}: unknown option {name!r}; there are {', '.join(OPTIONS)}")
        if name in WHOLE:
            if not value.isdecimal() or not 0 < int(value) <= 10_000:
                raise SettingsError(f"--workers {text}: {name} is a number from 1 to 10000, not {value!r}")
            options[name] = int(value)
    return USUAL | options


@contextmanager
def _queued(scheme: str, options: dict[str, Any]) -> Iterator[Any]:
    """Jobs of a batch system, which end with this."""
    with needing(f"--workers {scheme}://", "cluster"):
        import dask
        import dask_jobqueue
    kind, submits = QUEUES[scheme]
    if shutil.which(submits) is None:
        raise SettingsError(
            f"--workers {scheme}://: there is no {submits} on this machine; go where jobs are submitted"
        )
    options = dict(options)
    jobs = options.pop("jobs")
    if scheme == "htcondor":
        options.setdefault("disk", "1GB")
    before = dask.config.get(f"jobqueue.{scheme}.job-script-prologue", None) or []
    options["job_script_prologue"] = [*PROLOGUE, *before]  # what the site says comes last, and holds
    try:
        queued = getattr(dask_jobqueue, kind)(**options, scheduler_options={"dashboard_address": ":0"})
    except (OSError, RuntimeError, ValueError) as error:
        why = " ".join(str(error.__context__ or error).split())
        raise LynkeusError(
            f"--workers {scheme}://: no scheduler can be started where jobs would find it ({why}); give the network "
            "that they reach, as &interface=eth0"
        ) from error
    with queued as cluster:
        cluster.scale(jobs=jobs)
        yield cluster


@contextmanager
def at_cluster(
    where: str, found: Callable[[], AbstractContextManager[Any]], work: Work[Any, Any], _: int
) -> Iterator[Submit]:
    """Give the way to a cluster (`found`), a function that has a share done there. Raises LynkeusError where nobody
    answers, and where no worker comes to a scheduler that others run; those of a queue are waited for."""
    with needing("--workers", "cluster"):
        import distributed
    for name in ("distributed", "distributed.client"):
        logging.getLogger(name).setLevel(logging.CRITICAL)  # what happens is said by us, in one line
    with found() as cluster, _client(distributed, where, cluster) as client:
        key = (lynkeus.__version__, uuid.uuid4().hex, os.getcwd())
        shared_by(1, where, lambda: len(client.nthreads()))
        does = partial(_do, key, work.begin, work.given)
        given: WeakSet[_Share] = WeakSet()
        longest = GONE_S if cluster == where else QUEUE_S
        over, arrived = threading.Event(), SimpleQueue[Any]()
        threading.Thread(target=_look_after, args=(client, where, longest, given, over), daemon=True).start()
        threading.Thread(target=_take_in, args=(arrived, over), daemon=True).start()

        def submit(share: Any) -> Future[Any]:
            one = _Share(client, partial(does, share), where, arrived)
            given.add(one)
            return one.future

        try:
            yield submit
        finally:
            over.set()
            arrived.put(None)


def _take_in(arrived: SimpleQueue[Any], over: threading.Event) -> None:
    """Fetch what was done. Dask's own thread for callbacks will not do, of which a process has one for all clients: a
    result that is asked for while its client is being closed never comes, and nothing after it would."""
    while (one := arrived.get()) is not None:
        share, there = one
        if not over.is_set():
            share.take(there)


def _look_after(client: Any, where: str, longest: float, given: WeakSet[_Share], over: threading.Event) -> None:
    """Give up what nobody will do: where all workers are gone, and none comes back in time."""
    last = time.monotonic()
    while not over.wait(1.0):
        with suppress(Exception):  # the scheduler is gone: that is told with each share
            if client.nthreads():
                last = time.monotonic()
        if time.monotonic() - last > longest:
            lost = f"--workers {where}: all workers are gone, and none has come back within {longest:g} s"
            for share in list(given):
                share.fail(
                    LynkeusError(f"{lost}; start some, and the same command again: it goes on where it was"), None
                )


@contextmanager
def _client(distributed: Any, where: str, cluster: Any) -> Iterator[Any]:
    try:
        client = distributed.Client(cluster, timeout=CONNECT_S, set_as_default=False)
    except (OSError, ValueError, TypeError, RuntimeError) as error:
        raise LynkeusError(
            f"--workers {where}: no scheduler answers within {CONNECT_S:g} s; start one (dask scheduler) and workers "
            "of it, or correct the address"
        ) from error
    queue = cluster != where
    longest = QUEUE_S if queue else WORKERS_S
    try:
        client.wait_for_workers(1, timeout=longest)
        yield client
    except TimeoutError as error:
        what = "look at the queue, and at the logs of its jobs" if queue else f"start some (dask worker {where})"
        raise LynkeusError(f"--workers {where}: no worker has come within {longest:g} s; {what}") from error
    finally:
        client.close(timeout=1.0)


@dataclass(eq=False)
class _Share:
    """A share on its way: given out anew when the workers that had it died; `future` is what the asker waits for."""

    client: Any
    does: Callable[[], Any]
    where: str
    arrived: SimpleQueue[Any]
    future: Future[Any] = field(default_factory=Future)
    tries: int = 0
    there: Any = None

    def __post_init__(self) -> None:
        self._give()

    def _give(self) -> None:
        self.tries += 1
        try:
            self.there = self.client.submit(self.does, pure=False)  # kept: a cluster forgets what nobody wants
            self.there.add_done_callback(lambda there: self.arrived.put((self, there)))
        except Exception as error:  # the client was closed under us
            self.fail(LynkeusError(f"the cluster at {self.where} {GONE}"), error)

    def take(self, there: Any) -> None:
        """Let the asker have what came of it, or give it out anew."""
        try:
            self.future.set_result(there.result())
            self.there = None
        except CancelledError as error:
            self.fail(LynkeusError(f"the cluster at {self.where} {GONE}"), error)
        except LynkeusError as error:
            self.fail(error, None)
        except Exception as error:
            if type(error).__name__ != "KilledWorker":
                self.fail(error, None)
            elif self.tries < TRIES:
                self._give()
            else:
                message = "workers of the cluster were killed one after the other, perhaps for want of memory"
                self.fail(LynkeusError(message), error)

    def fail(self, error: Exception, cause: BaseException | None) -> None:
        """Let the asker hear why it is not done."""
        error.__cause__ = cause
        if not self.future.done():
            self.future.set_exception(error)


_MADE = threading.local()  # of a worker: what does the shares of the work that it has last had, for each thread


def _do(
    key: tuple[str, str, str], begin: Callable[..., Callable[[Any], Any]], given: tuple[Any, ...], share: Any
) -> Any:
    """Do a share at a worker, in the folder of the asker; it reads the model at the first one."""
    if key[0] != lynkeus.__version__:
        raise LynkeusError(
            f"a worker of the cluster has Lynkeus {lynkeus.__version__}, and this is {key[0]}: install the same there"
        )
    try:
        os.chdir(key[2])  # paths may be relative to it
    except OSError as error:
        raise LynkeusError(
            f"a worker of the cluster does not see the folder {key[2]}: start this where all of them see the files"
        ) from error
    if getattr(_MADE, "key", None) != key:
        _MADE.does, _MADE.key = begin(*given), key
    return _MADE.does(share)
