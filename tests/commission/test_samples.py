"""Samples that stand alone, without times: faults are planted, counted at a share of good ones, the same for all."""

from dataclasses import replace

import numpy as np
import pytest

from lynkeus.commission.commission import CommissionSettings, commission
from lynkeus.commission.turn_on import CHANCE
from lynkeus.core import Batch, CalibrationError, Schema, SettingsError
from lynkeus.fitting.fit import FitSettings, fit
from lynkeus.sources import InMemory, Layout, open_source

pytestmark = pytest.mark.slow(0.5)  # each, about: many of them, or processes of their own

SCHEMA = Schema("waveform", ("a", "b"), shape=(2, 12))
CHOSEN = CommissionSettings(faults={"offset": (0.01, 9.0), "readout": (0.1,)}, per_case=25, false_alarms=0.05)


def pulses(seed: int, n: int = 300) -> InMemory:
    return InMemory(Batch(SCHEMA, np.random.default_rng(seed).normal(size=(n, 2, 12))), 70)


@pytest.fixture(scope="module")
def model():
    return fit(pulses(0, 600), FitSettings("mahalanobis"))


@pytest.fixture(scope="module")
def found(model):
    return commission(model, pulses(1), CHOSEN, {"twin": model})


def test_large_faults_are_found_small_and_harmless_ones_are_not(found) -> None:
    rows = {(row.fault, row.size): row for row in found.rows if row.scorer == "mahalanobis"}
    large, small, harmless = (rows[case] for case in (("offset", 9.0), ("offset", 0.01), ("readout", 0.1)))
    assert large.efficiency == large.right_place == 1.0
    assert large.auroc > 0.99
    assert small.efficiency < 0.3
    assert harmless.harmless
    assert harmless.efficiency < 0.3
    assert {row.faults for row in rows.values()} == {25}
    assert {(row.budget, row.budget_unit) for row in found.rows} == {(0.05, "of good samples")}
    assert np.isnan([large.detect_median_s, large.events, large.right_window, large.right_kind]).all()


def test_all_models_get_the_same_faults_and_chance_stands_beside(found) -> None:
    own, twin = ([replace(r, scorer="") for r in found.rows if r.scorer == name] for name in ("mahalanobis", "twin"))
    assert repr(own) == repr(twin)
    chance = [row for row in found.rows if row.scorer == CHANCE]
    assert len(chance) == 3
    assert all(row.efficiency == 0.05 for row in chance)
    assert [row.right_place for row in chance if not row.harmless] == [0.5, 0.5]
    good = found.false_alarms[0]
    assert good.exposure == 300
    assert good.rate[1] <= 0.05 <= good.rate[2] + 0.05


def test_how_the_samples_are_cut_into_batches_changes_nothing(model, found) -> None:
    cut = commission(model, InMemory(pulses(1).batch, 31), CHOSEN)
    first = [row for row in found.rows if row.scorer == "mahalanobis"]
    for row, other in zip(first, cut.rows, strict=False):
        assert (row.fault, row.size, row.faults) == (other.fault, other.size, other.faults)
        assert row.efficiency == pytest.approx(other.efficiency, abs=0.05)


def test_budgets_beyond_the_reference_are_refused_or_marked(model) -> None:
    one = replace(CHOSEN, faults={"offset": (9.0,)}, per_case=4)
    with pytest.raises(CalibrationError, match="cannot be supported by the 600 samples of the reference"):
        commission(model, pulses(1), replace(one, false_alarms=1e-9))
    rare = commission(model, pulses(1), replace(one, false_alarms=1e-3))
    assert all(row.extrapolated for row in rare.rows if row.scorer != CHANCE)
    assert not commission(model, pulses(1), one).rows[0].extrapolated


def test_what_cannot_be_planted_is_said(model) -> None:
    with pytest.raises(SettingsError, match="no fault of pulses called 'kick'; there are: noisy"):
        commission(model, pulses(1), replace(CHOSEN, faults={"kick": (1.0,)}))
    half = fit(pulses(0, 600), FitSettings("three_sigma"))
    other = InMemory(Batch(replace(SCHEMA, names=("a", "c")), pulses(0).batch.values))
    with pytest.raises(Exception, match="names"):
        commission(model, pulses(1), CHOSEN, {"half": half, "other": fit(other, FitSettings("three_sigma"))})


def test_a_proof_on_what_was_learned_from_is_called_none(model, found, tmp_path, monkeypatch) -> None:
    np.save(tmp_path / "good.npy", pulses(2, 400).batch.values)
    np.save(tmp_path / "other.npy", pulses(3, 200).batch.values)
    monkeypatch.chdir(tmp_path)
    layout = Layout(axes="channel,time")
    learned = fit(open_source("good.npy", layout), FitSettings("mahalanobis"))
    own = commission(learned, open_source(tmp_path / "good.npy", layout), CHOSEN)
    assert own.learned_from[0].startswith("mahalanobis learned from 400 of these samples")
    assert not commission(learned, open_source("other.npy", layout), CHOSEN).learned_from
    assert not found.learned_from
