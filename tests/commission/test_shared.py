"""Commissioning in shares: whoever judges them, killed and started again, the numbers are those of one process."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lynkeus.commission.commission import CommissionSettings, commission
from lynkeus.commission.found import Commissioning
from lynkeus.core import Source
from lynkeus.files.shared import Sharing
from lynkeus.files.workers import Work
from lynkeus.fitting.fit import FitSettings, fit
from lynkeus.fitting.fitted import Fitted
from lynkeus.sources.runs.folder import RunFile
from lynkeus.sources.runs.read import RunFolder

pytestmark = pytest.mark.slow(0.5)
Case = tuple[Fitted, Source, CommissionSettings]


@contextmanager
def threads(work: Work[Any, Any], count: int) -> Iterator[Callable[[Any], Future[Any]]]:
    """Two others, each of which makes for itself what is asked."""
    with ThreadPoolExecutor(1) as one, ThreadPoolExecutor(1) as other:
        pools = [(pool, work.begin(*work.given)) for pool in (one, other)]
        given: list[int] = []

        def submit(share: Any) -> Future[Any]:
            given.append(1)
            pool, does = pools[len(given) % 2]
            return pool.submit(does, share)

        yield submit


def of_runs() -> Case:
    def a_run(seed: int) -> RunFile:
        rng = np.random.default_rng(seed)
        columns = {"x": rng.normal(0, 1, 150), "y": rng.normal(5, 2, 150)}
        return RunFile(f"run{seed}", lambda: iter([dict(columns)]))

    fitted = fit(RunFolder([a_run(seed) for seed in range(25)]), FitSettings("binned_chi2"))
    settings = CommissionSettings(faults={"shift": (0.3,), "noise": (0.1,)}, events=(100,), per_case=5)
    return fitted, RunFolder([a_run(seed) for seed in range(100, 110)]), settings


@pytest.fixture(scope="module", params=["runs", "stream"])
def case(request: pytest.FixtureRequest, loudest: Fitted, gaussian: Callable[..., Source]) -> Case:
    if request.param == "runs":
        return of_runs()
    settings = CommissionSettings(5.0, {"offset": (3.0, 6.0)}, per_case=6)
    return loudest, gaussian(4000, seed=2), settings


def numbers(found: Commissioning) -> tuple[str, str]:
    return repr(found.rows), repr([(one.incidents, one.exposure, one.rate, one.alarms) for one in found.false_alarms])


def test_others_find_the_same_and_go_on_after_a_kill(case: Case, tmp_path: Path) -> None:
    fitted, source, settings = case
    alone = commission(fitted, source, settings)
    told: list[str] = []

    def killed(what: str, share: float) -> None:
        told.append(what)
        if share > 0.4:
            raise KeyboardInterrupt

    def sharing(head: Mapping[str, Any]) -> Sharing:
        return Sharing(lambda: ({fitted.name: fitted}, source, settings), 1, threads, tmp_path / "r.html", head)

    with pytest.raises(KeyboardInterrupt):
        commission(fitted, source, settings, progress=killed, sharing=sharing({"model": 1}))
    assert len(list(tmp_path.iterdir())) == 1
    again = sharing({"model": 1})
    assert numbers(commission(fitted, source, settings, sharing=again)) == numbers(alone)
    assert 0 < again.before < again.count
    again.finish()
    assert not list(tmp_path.iterdir())
    other = sharing({"model": 2})
    assert numbers(commission(fitted, source, settings, sharing=other)) == numbers(alone)
    assert not other.before
