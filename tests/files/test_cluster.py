"""Work by a Dask cluster of two processes: the same as here, though workers are killed; jobs of a batch system."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from lynkeus.core import LynkeusError, SettingsError, SourceError
from lynkeus.files import cluster
from lynkeus.files.cluster import workers_of
from lynkeus.files.workers import Work, in_order

distributed = pytest.importorskip("distributed", reason="needs lynkeus[cluster]")
pytestmark = pytest.mark.slow(2)
SHARES = [[3 * number, 3 * number + 1] for number in range(30)]
SQUARES = [[number**2 for number in share] for share in SHARES]
# Batch systems of one machine: what is submitted is kept and runs at once, and is ended by its number.
RUNS = """
cp "${{@: -1}}" {folder}/job.$$.txt
setsid bash {folder}/job.$$.sh > {folder}/job.$$.log 2>&1 &
"""
ARGUMENTS = r'^Arguments = "-c .\(.*\)."$'
SYSTEMS = {
    "slurm": {
        "sbatch": '#!/bin/bash\ncp "${{@: -1}}" {folder}/job.$$.sh' + RUNS + 'echo "Submitted batch job $!"\n',
        "scancel": '#!/bin/bash\nkill -- -"$1"\n',
    },
    "htcondor": {  # a line of Arguments = "-c '...'" is what /bin/sh is given
        "condor_submit": f"#!/bin/bash\nsed -n 's/{ARGUMENTS}/\\1/p' \"${{{{@: -1}}}}\" > {{folder}}/job.$$.sh"
        + RUNS
        + 'echo "1 job(s) submitted to cluster $!."\n',
        "condor_rm": '#!/bin/bash\nkill -- -"${{1%.0}}"\n',
    },
}
SAID = {
    "slurm": ("#SBATCH -t 00:05:00", "#SBATCH --cpus-per-task=1", "export OMP_NUM_THREADS=1"),
    "htcondor": ("MY.DaskWorkerCores = 1", "MY.DaskWorkerMemory = 1000000000", "export OMP_NUM_THREADS=1; "),
}


def square(folder: Path, share: list[int]) -> list[int]:
    (folder / f"{os.getpid()} did {share[0]}").touch()
    return [number**2 for number in share]


def die_once(folder: Path, share: list[int]) -> list[int]:
    """Some shares kill the worker that has them first."""
    mark = folder / f"died of {share[0]}"
    if share[0] % 45 == 0 and not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return [number**2 for number in share]


def refuse(share: list[int]) -> None:
    raise SourceError(f"share {share} cannot be read")


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    options: dict[str, Any] = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": None}
    with distributed.LocalCluster(**options, silence_logs="CRITICAL") as two:
        yield f"dask://{two.scheduler_address}"


def test_a_cluster_does_the_same_as_one_process_and_the_asker_waits(address: str, tmp_path: Path) -> None:
    work = Work(partial, (square, tmp_path))
    assert in_order(work, SHARES, *workers_of(address)) == SQUARES == in_order(work, SHARES)
    by = {path.name.split()[0] for path in tmp_path.iterdir()}
    assert len(by) == 3  # two workers, and this process the second time
    assert in_order(work, [], *workers_of(address)) == []


def test_workers_that_are_killed_cost_nothing(address: str, tmp_path: Path) -> None:
    assert in_order(Work(partial, (die_once, tmp_path)), SHARES, *workers_of(address)) == SQUARES
    assert {path.name for path in tmp_path.iterdir()} == {"died of 0", "died of 45"}


def test_errors_of_a_share_and_another_version_are_carried_over(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SourceError, match=r"share \[\d+, \d+\] cannot be read"):
        in_order(Work(partial, (refuse,)), SHARES, *workers_of(address))
    monkeypatch.setattr("lynkeus.__version__", "0.0.1")
    with pytest.raises(LynkeusError, match=r"has Lynkeus \d.*, and this is 0\.0\.1"):
        in_order(Work(partial, (refuse,)), SHARES, *workers_of(address))


def test_a_result_that_never_comes_holds_up_no_later_work(address: str, tmp_path: Path) -> None:
    asked, forever = threading.Event(), threading.Event()

    def never(there: Any, timeout: float | None = None) -> None:
        asked.set()
        assert forever.wait(60)

    _, backend = workers_of(address)
    assert backend is not None
    work = Work(partial, (square, tmp_path))
    with pytest.MonkeyPatch.context() as patch, backend(work, 1) as submit:
        patch.setattr(distributed.Future, "result", never)  # as of a client that is being closed
        submit([1])
        assert asked.wait(30)
    assert in_order(work, SHARES, 1, backend) == SQUARES
    forever.set()


def test_who_does_not_answer_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "CONNECT_S", 0.5)
    with pytest.raises(LynkeusError, match=r"tcp://127\.0\.0\.1:9: no scheduler answers within 0\.5 s"):
        in_order(Work(partial, (refuse,)), SHARES, *workers_of("dask://127.0.0.1:9"))


@pytest.mark.parametrize(
    ("system", "address"),
    [
        ("slurm", "slurm://?jobs=1&cores=1&memory=1GB&walltime=00:05:00&interface=lo"),
        ("htcondor", "htcondor://?jobs=1&cores=1&memory=1GB&interface=lo"),
    ],
)
def test_jobs_of_a_batch_system_do_it(
    system: str, address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("dask_jobqueue", reason="needs lynkeus[cluster]")
    monkeypatch.setattr(cluster, "QUEUE_S", 90.0)  # of a real one it may be hours
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    for name, script in SYSTEMS[system].items():
        (tmp_path / name).write_text(script.format(folder=tmp_path))
        (tmp_path / name).chmod(0o755)
    (tmp_path / "done").mkdir()
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(Path(__file__).parents[2]), *os.sys.path]))  # type: ignore[attr-defined]
    assert in_order(Work(partial, (square, tmp_path / "done")), SHARES, *workers_of(address)) == SQUARES
    script = next(tmp_path.glob("job.*.txt")).read_text()
    assert all(line in script for line in SAID[system]), script


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("two", "give a number of processes, a cluster as dask://"),
        ("0", "at least 1"),
        ("-1", "give a number"),
        ("9" * 9, "give a number"),
        ("dask://", "give the address of its scheduler"),
        ("dask://host", "give the address of its scheduler"),
        ("slurm://?job=2", "unknown option 'job'; there are jobs, cores"),
        ("slurm://?jobs=two", "jobs is a number from 1 to 10000, not 'two'"),
        ("kafka://x", "give a number"),
    ],
)
def test_what_is_no_worker_is_said(text: str, said: str) -> None:
    with pytest.raises(SettingsError, match=said.replace("?", r"\?")):
        workers_of(text)


def test_a_network_that_is_not_there_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "sbatch").touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    with pytest.raises(LynkeusError, match=r"slurm://: no scheduler can be started .*; give the network that they"):
        in_order(Work(partial, (refuse,)), SHARES, *workers_of("slurm://?jobs=1&interface=nowhere0"))


def test_a_batch_system_that_is_not_there_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SettingsError, match="there is no condor_submit on this machine"):
        in_order(Work(partial, (refuse,)), SHARES, *workers_of("htcondor://?jobs=2"))
