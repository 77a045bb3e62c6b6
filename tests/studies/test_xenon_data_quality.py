"""The study of runs of a xenon detector: what is true of its runs, its tables, and a small run from end to end."""

import json
from pathlib import Path

import numpy as np
import pytest

from lynkeus.evaluate.run_comparison import run_comparison
from lynkeus.simulate.xenon.conditions import FAULTS
from lynkeus.studies.xenon_data_quality.compare import TARGETS, with_interval
from lynkeus.studies.xenon_data_quality.pulses import pulse_findings
from lynkeus.studies.xenon_data_quality.runs import GOOD, SIZES, Padded, RunRequest, SimulatedRuns, Truths, every_fault
from lynkeus.studies.xenon_data_quality.scorers import every, number_of_events
from lynkeus.studies.xenon_data_quality.study import xenon_data_quality

pytestmark = pytest.mark.slow(0.5)  # each, about: many of them, or processes of their own


def test_every_fault_of_the_simulator_is_there_at_several_sizes() -> None:
    assert set(SIZES) == set(FAULTS)
    assert all(len(sizes) >= 3 for sizes in SIZES.values())
    assert len(every_fault((200, 1000, 5000))) + 65 == pytest.approx(200, abs=2)


def test_runs_are_what_was_wanted_and_no_two_sets_share_one() -> None:
    wanted = [RunRequest(GOOD, 0.0, 50, 3), RunRequest("new_nr", 0.5, 60, 2)]
    made = list(SimulatedRuns("surrogate", 1).make(wanted))
    assert [one.run.truth.change for one in made] == ["none"] * 3 + ["new"] * 2
    assert len({one.name for one in made}) == 5
    other = next(iter(SimulatedRuns("surrogate", 2).make(wanted)))
    assert not np.array_equal(made[0].run.values()[:5], other.run.values()[:5])
    again = next(iter(SimulatedRuns("surrogate", 1).make(wanted)))
    np.testing.assert_array_equal(made[0].run.values(), again.run.values())


def test_the_truth_of_a_population_is_where_its_events_are() -> None:
    truths = Truths("surrogate")
    (line,) = SimulatedRuns("surrogate", 3).make([RunRequest("no_kr83m", 1.0, 50)])
    truth = truths.of(line)
    assert truth.change == "gone"
    low, high = truth.region["s1c_phd"]
    assert 150 < low < 276 < high < 400  # 41.5 keV
    (shift,) = SimulatedRuns("surrogate", 3).make([RunRequest("s2_shift", 0.05, 50)])
    assert truths.of(shift).variables == ("s2_phd", "s2c_phd")
    assert truths.of(shift).region == {}
    assert set(truths.regions) >= {"nr", "line", "blob", "wall", "alpha"}


def test_padded_runs_have_the_line_of_the_table_as_their_class() -> None:
    wanted = [RunRequest(GOOD, 0.0, 30, 2), TARGETS[0].wanted._replace(runs=2)]
    made = SimulatedRuns("surrogate", 1).make(wanted)
    (batch,) = Padded(made, {target.wanted: number for number, target in enumerate(TARGETS, 1)})
    assert batch.truth.tolist() == [0, 0, 1, 1]
    assert batch.mask.sum(axis=1).tolist() == [len(one.run) for one in made]
    assert np.isnan(batch.values[~batch.mask]).all()
    scores = number_of_events(batch.values[:2], batch.values)
    assert scores[:2].tolist() == [0.0, 0.0]
    assert (scores[2:] > 1).all()


def test_the_interval_holds_the_area_and_all_five_families_stand_side_by_side() -> None:
    rng = np.random.default_rng(0)
    found = with_interval(rng.normal(0, 1, 60), rng.normal(1, 1, 30))
    assert found["auroc.low"] < found["auroc"] < found["auroc.high"]
    names = list(every(smoke=False))
    assert sum(name.startswith("run_histograms ") for name in names) == 5
    assert sum(name.startswith("run_events ") for name in names) == 3


def test_pulses_are_classified_and_counted() -> None:
    metrics, tables = pulse_findings(3, 400)
    assert metrics["pulses.quantities.macro_f1"] > 0.95
    assert metrics["pulses.waveforms.macro_f1"] > 0.9
    assert metrics["pulses.quantities.fractions_zero"] == 0.0
    assert 0.4 < metrics["pulses.waveforms.fractions_covered"] < 0.95
    assert len(tables) == 4


@pytest.mark.slow(20)
def test_a_small_run_writes_its_page(tmp_path: Path) -> None:
    run = run_comparison(xenon_data_quality(smoke=True), tmp_path)
    assert run.passed, run.lines()
    page = run.page.read_text()
    assert page.index("### Targets") < page.index("### All faults, all sizes") < page.index("### False alarms")
    assert "surrogate" in page
    assert {path.name for path in (tmp_path / "xenon_data_quality").iterdir()} >= {
        "turn_on.svg", "examples.png", "bands.png", "turn_on.parquet", "metrics.json",
    }  # fmt: skip
    metrics = json.loads((tmp_path / "xenon_data_quality" / "metrics.json").read_text())["metrics"]
    assert "runs.targets.binned_chi2.judged.ms" in metrics
