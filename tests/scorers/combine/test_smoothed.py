"""Smoothed: a scorer of occupancy maps finds a fault that stays, follows runs, comes back from a folder."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lynkeus.core import Batch, Schema, SchemaError, SettingsError, Tracking
from lynkeus.metrics.rates import auroc
from lynkeus.scorers.combine.smoothed import Smoothed
from lynkeus.sources import InMemory

RUNS, SECTIONS = 12, 10
RATE = 40 * np.linspace(0.5, 4, 10)[:, None] * np.ones((1, 12))
BOTH = {"scorer": "nearest_neighbours"}


def sections(seed: int, faulty_runs: int = 0) -> Batch:
    """Occupancy maps of lumisections; in faulty runs a tower in the quiet middle has lost most hits since the third."""
    rng = np.random.default_rng(seed)
    hits = rng.poisson(RATE, (RUNS, SECTIONS, *RATE.shape)).astype(np.float32)
    truth = np.zeros((RUNS, SECTIONS), np.int64)
    hits[:faulty_runs, 3:, 1, 5] = rng.poisson(0.1 * RATE[1, 5], (faulty_runs, SECTIONS - 3))
    truth[:faulty_runs, 3:] = 1
    run = np.repeat([f"run {number}" for number in range(RUNS)], SECTIONS)
    schema = Schema("image", ("hits",), shape=(1, *RATE.shape))
    return Batch(schema, hits.reshape(-1, 1, *RATE.shape), truth=truth.reshape(-1), meta={"run": run})


@pytest.fixture(scope="module")
def good() -> InMemory:
    return InMemory(sections(1))


@pytest.fixture(scope="module")
def both(good: InMemory) -> Smoothed:
    return Smoothed(**BOTH).fit(good)


def test_each_correction_helps_to_find_a_fault_that_stays(good: InMemory, both: Smoothed) -> None:
    test = sections(2, faulty_runs=6)
    settled = (test.truth == 0) | np.tile(
        np.arange(SECTIONS) >= 5, RUNS
    )  # all three sections that are joined are faulty
    none, spatial = (Smoothed(**BOTH, sections=1, spatial=own).fit(good) for own in (False, True))
    scorers = {"none": none, "spatial": spatial, "both": both}
    found = {name: auroc(test.truth[settled], own.score(test)[settled, 0]) for name, own in scorers.items()}
    assert found["none"] < found["spatial"] - 0.05
    assert found["spatial"] < found["both"]
    assert found["both"] > 0.97
    late = both.explain(test)[9]
    assert np.unravel_index(late.argmax(), late.shape) == (0, 1, 5)


def test_it_follows_sections_over_batches_and_a_restart(both: Smoothed, tmp_path: Path) -> None:
    test = sections(3, faulty_runs=4)
    whole = both.score(test)
    both.save(tmp_path)
    assert isinstance(both, Tracking)
    pieces, state = [], {}
    for low, high in ((0, 1), (1, 17), (17, 18), (18, 120)):
        follower = Smoothed.load(tmp_path)
        follower.resume(state)
        pieces.append(follower.score(test[low:high]))
        follower.update(test[low:high])
        state = follower.state()
    np.testing.assert_allclose(np.concatenate(pieces), whole, rtol=1e-6)
    assert both.score(test[:0]).shape == (0, 1)
    np.testing.assert_allclose(both.score(test), whole)  # scoring has left no trace


def test_dead_sections_have_no_score_and_do_not_speak(both: Smoothed) -> None:
    test = sections(4)
    values = test.values.copy()
    values[4] = 0.0
    dead = np.ones(len(test))
    dead[4] = 0.0
    broken = replace(test.with_values(values), meta={**test.meta, "livetime_s": dead})
    scores = both.score(broken)[:, 0]
    assert np.isnan(scores[4])
    assert np.isfinite(np.delete(scores, 4)).all()
    np.testing.assert_allclose(scores[7:], both.score(test)[7:, 0])
    assert scores[5:7].max() < np.quantile(both.score(test), 0.999)


def test_what_makes_no_sense_is_refused(good: InMemory, both: Smoothed) -> None:
    table = Batch(Schema("table", ("a",), shape=(1,)), np.zeros((30, 1)))
    with pytest.raises(SchemaError, match="not a table"):
        Smoothed().fit(InMemory(table))
    with pytest.raises(SchemaError, match="smoothed was fitted on another schema"):
        both.score(table)
    with pytest.raises(SettingsError, match="joins one section"):
        Smoothed(sections=0).fit(good)
    with pytest.raises(SettingsError, match="use it alone"):
        Smoothed(scorer="smoothed").fit(good)
    with pytest.raises(SettingsError, match="neighbours"):
        Smoothed(spatial=False, neighbours=1.0).fit(good)
