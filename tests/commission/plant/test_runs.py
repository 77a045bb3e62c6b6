"""Faults planted into good runs: each kind does what it says, to columns, populations and groups as they are."""

import numpy as np
import pytest

from lynkeus.commission.plant.good_events import GoodEvents
from lynkeus.commission.plant.runs import KINDS, plant
from lynkeus.core import SettingsError
from lynkeus.transforms.event_columns import EventColumns

NAMES = ("charge", "charge_corrected", "time_us", "tubes")


def events(rng: np.random.Generator, n: int = 600, text: bool = False) -> dict[str, np.ndarray]:
    """A broad band (70 %) and a line (30 %) in charge over decades, a copy of it, a time, and a whole number."""
    line = rng.random(n) < 0.3
    charge = 10 ** np.where(line, rng.normal(4.5, 0.02, n), rng.uniform(1.5, 3.5, n))
    found = {
        "charge": charge,
        "charge_corrected": charge * np.exp(0.03 * rng.standard_normal(n)),
        "time_us": rng.normal(500, 100, n),
        "tubes": np.where(line, 40, 4) + rng.integers(0, 3, n),
    }
    return found | ({"kind": np.where(line, "line", "band")} if text else {})


def good(text: bool = False) -> tuple[GoodEvents, tuple[np.ndarray, np.ndarray]]:
    rng = np.random.default_rng(0)
    runs = [events(rng, text=text) for _ in range(12)]
    columns = EventColumns.fit(runs)
    read = [(columns.values(run), columns.group_of(run)) for run in runs]
    return GoodEvents.fit(columns, read), read[0]


@pytest.fixture(scope="module")
def plain() -> tuple[GoodEvents, tuple[np.ndarray, np.ndarray]]:
    return good()


def test_what_is_usual_is_learned(plain) -> None:
    usual, (values, _) = plain
    assert usual.columns.names == NAMES
    assert usual.together[0].tolist() == usual.together[1].tolist() == [True, True, False, False]
    assert set(usual.told) >= {0, 1}
    assert 2 not in usual.told  # the time says nothing of the others
    assert 3 not in usual.movable  # whole numbers are not shifted
    line = usual.population_of(usual.pool)[usual.pool.scaled[:, 0] > 4.3]
    assert len(set(line.tolist())) == 1
    assert line[0] in usual.pure
    assert len(values) == 600


def test_a_shift_moves_a_column_and_those_that_rise_with_it_by_widths(plain) -> None:
    usual, (values, group) = plain
    for seed in range(8):
        found = plant("shift", 0.1, usual, (values, group), np.random.default_rng(seed))
        moved = [name for k, name in enumerate(NAMES) if not np.allclose(found.values[:, k], values[:, k])]
        assert tuple(moved) == found.truth.variables
        assert found.truth.change == "shifted"
        if "charge" in moved:
            ratio = found.values[:, 0] / values[:, 0]
            width = usual.width[:2].mean()
            assert np.allclose(np.abs(np.log10(ratio)), 0.1 * width)
            assert np.allclose(found.values[:, 1] / values[:, 1], ratio)
        else:
            assert np.allclose(np.abs(found.values[:, 2] - values[:, 2]), 0.1 * usual.width[2])


def test_one_population_is_gone_or_shifted_and_the_others_stay(plain) -> None:
    usual, (values, group) = plain
    for seed in range(4):
        gone = plant("gone", 1.0, usual, (values, group), np.random.default_rng(seed))
        left = len(gone.values)
        low, high = gone.truth.region["charge"]
        inside = ((values[:, 0] > low) & (values[:, 0] < high)).sum()
        assert 0 < left < 600
        assert ((gone.values[:, 0] > low) & (gone.values[:, 0] < high)).sum() < 0.35 * inside
        half = plant("gone", 0.5, usual, (values, group), np.random.default_rng(seed))
        assert left < len(half.values) < 600
        moved = plant("shift_one", 0.3, usual, (values, group), np.random.default_rng(seed))
        changed = ~np.isclose(moved.values, values).all(axis=1)
        assert 0.02 < changed.mean() < 0.7


def test_new_events_come_where_there_are_none_and_where_there_are_many(plain) -> None:
    usual, (values, group) = plain
    for seed in range(4):
        rng = np.random.default_rng(seed)
        empty = plant("new_empty", 0.05, usual, (values, group), rng)
        assert len(empty.values) == 630
        added = empty.values[600:]
        ratio = np.abs(np.log10(added[:, 0] / added[:, 1]))
        band = (added[:, 0] < 10**3.6) | (added[:, 0] > 10**4.4)
        assert (ratio > 0.1).mean() > 0.9 or (~band).mean() > 0.9
        crowded = plant("new_crowded", 0.05, usual, (values, group), rng)
        low, high = crowded.truth.region["charge"]
        assert ((crowded.values[600:, 0] > 0.9 * low) & (crowded.values[600:, 0] < 1.1 * high)).mean() > 0.8
        assert np.log10(high / low) < 0.6
        more = plant("more", 0.05, usual, (values, group), rng)
        assert len(more.values) == 630
        assert more.truth.change == "new"


def test_thresholds_noise_loss_and_drift(plain) -> None:
    usual, (values, group) = plain
    cut = plant("threshold", 0.1, usual, (values, group), np.random.default_rng(0))
    assert 500 < len(cut.values) < 570
    k = NAMES.index(cut.truth.variables[0])
    assert cut.values[:, k].min() > np.quantile(values[:, k], 0.04)
    noise = plant("noise", 0.1, usual, (values, group), np.random.default_rng(0))
    assert np.std(noise.values[:, 2] - values[:, 2]) == pytest.approx(0.1 * usual.width[2], rel=0.1)
    assert np.array_equal(noise.values[:, 3], values[:, 3])
    assert 200 < len(plant("loss", 0.5, usual, (values, group), np.random.default_rng(0)).values) < 400
    drift = plant("drift", 1.0, usual, (values, group), np.random.default_rng(0))
    assert drift.truth.change == "none"
    assert KINDS["drift"].change == "none"


def test_groups_are_the_populations_where_a_table_has_them() -> None:
    usual, (values, group) = good(text=True)
    assert usual.mixture is None
    for seed in range(4):
        gone = plant("gone", 1.0, usual, (values, group), np.random.default_rng(seed))
        assert len(set(gone.group)) == 1
        assert gone.truth.group not in set(gone.group)
        new = plant("new_empty", 0.05, usual, (values, group), np.random.default_rng(seed))
        assert set(new.group[600:]) == {new.truth.group}


def test_missing_values_stay_missing_and_one_column_is_enough() -> None:
    rng = np.random.default_rng(1)
    runs = [{"energy": np.where(rng.random(300) < 0.1, np.nan, rng.normal(5, 1, 300))} for _ in range(5)]
    columns = EventColumns.fit(runs)
    read = [(columns.values(run), columns.group_of(run)) for run in runs]
    usual = GoodEvents.fit(columns, read)
    for kind, of in KINDS.items():
        found = plant(kind, of.sizes[-1], usual, read[0], np.random.default_rng(2))
        assert found.values.shape[1] == 1
        assert len(found.values) == len(found.group)
    assert np.isnan(plant("shift", 0.3, usual, read[0], rng).values).sum() == np.isnan(read[0][0]).sum()


def test_no_events_are_said_in_words(plain) -> None:
    usual, _ = plain
    with pytest.raises(SettingsError, match="no events to plant faults in"):
        GoodEvents.fit(usual.columns, [(np.empty((0, 4)), np.empty(0, "U1"))])
