"""A label that no good run has: a bin of its own, asked by itself, beside a full overflow bin; named where it is."""

import json
from pathlib import Path

import boost_histogram as bh
import numpy as np
import pytest
from boost_histogram.serialization import to_uhi

from lynkeus.core import RunRecord, Verdict
from lynkeus.core.progress import silent
from lynkeus.fitting.fit import FitSettings, fit
from lynkeus.fitting.verdicts import RunVerdicts
from lynkeus.sources.runs.folder import open_runs
from lynkeus.sources.runs.read import RunFolder

USUAL = {"Mu": 200, "Ele": 100, "Jet": 300}


def write(folder: Path, name: str, rng: np.random.Generator, **more: int) -> None:
    """A run of two plots: trigger paths by label, of which some entries are in the overflow bin, and an energy."""
    counts = {label: int(rng.poisson(usual)) for label, usual in USUAL.items()} | more
    paths = bh.Histogram(bh.axis.StrCategory(list(counts)))
    paths.view(flow=True)[:] = [*counts.values(), rng.poisson(30)]
    energy = bh.Histogram(bh.axis.Regular(20, 0, 5)).fill(rng.exponential(1, 600))
    plots = {"Trigger/paths": to_uhi(paths), "Ecal/energy": to_uhi(energy)}
    (folder / f"{name}.json").write_text(json.dumps(plots, default=lambda item: item.tolist()))


@pytest.fixture(scope="module")
def verdicts(tmp_path_factory: pytest.TempPathFactory) -> RunVerdicts:
    good, rng = tmp_path_factory.mktemp("good"), np.random.default_rng(0)
    for run in range(24):
        write(good, str(370_000 + run), rng)
    return RunVerdicts(fit(RunFolder(open_runs(good)), FitSettings("binned_chi2")))


def judged(verdicts: RunVerdicts, folder: Path, **more: int) -> RunRecord:
    write(folder, "371000", np.random.default_rng(1), **more)
    (record,) = verdicts.of(open_runs(folder), silent)
    return record


def test_a_new_label_is_found_and_named(verdicts: RunVerdicts, tmp_path: Path) -> None:
    record = judged(verdicts, tmp_path, Hot=25, Cold=8)
    assert record.verdict in (Verdict.WARN, Verdict.BAD)
    assert (record.change.kind, record.change.population, record.change.size) == ("new", "Trigger/paths", 33)
    assert "Hot, Cold (new)" in record.change.where
    assert "no good run has" in record.reason
    paths, _ = sorted(record.plots, key=lambda own: own.plot.name, reverse=True)
    assert paths.flagged
    assert paths.plot.named(0)[-1] == "Hot, Cold (new)"
    assert paths.expected[-2] == 0
    assert record.p_value > 1e-5  # as rare as 24 good runs can know


def test_one_event_of_a_new_label_and_none_are_no_alarm(verdicts: RunVerdicts, tmp_path: Path) -> None:
    assert judged(verdicts, tmp_path).verdict == Verdict.GOOD
    one = judged(verdicts, tmp_path, Hot=1)
    assert one.verdict == Verdict.GOOD
    assert "Hot (1)" in one.reason
