"""Ensemble: p-values that are uniform on new data, what each member adds, and what is refused."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lynkeus.cli.fit import settings_of
from lynkeus.core import Batch, CalibrationError, ModelError, Schema, SchemaError, SettingsError
from lynkeus.core.plugins import make_scorer
from lynkeus.scorers.combine.ensemble import Ensemble
from lynkeus.scorers.statistics.mahalanobis import Mahalanobis
from lynkeus.sources import InMemory

Sources = Callable[..., Any]
QUICK = ("mahalanobis", "nearest_neighbours")


def test_a_member_speaks_in_p_values_of_data_it_was_not_fitted_on(
    table: Sources, one_batch: Sources, shots: np.ndarray
) -> None:
    scorer = Ensemble(members=("nearest_neighbours",)).fit(table(shots[:2000]))
    unseen = one_batch(table(shots[2000:], step=10_000))
    p_values = np.sort(np.exp(-scorer.score(unseen)[:, 0]))
    assert np.abs(p_values - np.linspace(0, 1, len(p_values))).max() < 0.06  # uniform, within the calibration's spread


def test_the_score_is_the_mean_or_the_largest_of_the_members_nats(
    table: Sources, one_batch: Sources, shots: np.ndarray
) -> None:
    batch = one_batch(table(shots[4000:5000]))
    alone = [Ensemble(members=(name,)).fit(table(shots[:2000])).score(batch) for name in QUICK]
    together = {
        combination: Ensemble(QUICK, combination).fit(table(shots[:2000])).score(batch)
        for combination in ("mean", "max")
    }
    np.testing.assert_allclose(together["mean"], np.mean(alone, axis=0))
    np.testing.assert_allclose(together["max"], np.max(alone, axis=0))


def test_the_members_themselves_are_fitted_on_everything(
    table: Sources, shots: np.ndarray, agree: Callable[..., None]
) -> None:
    scorer = make_scorer("ensemble", settings_of(["members=mahalanobis"])).fit(table(shots[:1000]))
    alone = Mahalanobis().fit(table(shots[:1000]))
    batch = next(iter(table(shots[:100])))
    agree(scorer.members_[0].score(batch), alone.score(batch))
    assert scorer.calibrations_[0].samples + scorer.calibrations_[0].excluded == 1000


def test_it_sees_what_one_of_its_members_is_blind_to() -> None:
    """A level and a shape in one series: raw windows see the first, z-normalised ones the second."""
    wave = np.sin(np.arange(4000) / 3.0) + 0.05 * np.random.default_rng(0).normal(size=4000)
    windows = wave.reshape(-1, 1, 20)
    schema = Schema("waveform", ("c0",), ("V",), (1, 20))
    good = InMemory(Batch(schema, windows, meta={"position": np.arange(200) * 20}))
    faulty = windows[:2].copy()
    faulty[0] += 3.0
    faulty[1, 0, 5:15] *= -0.5
    forms = tuple({"scorer": "discord", "normalise": form} for form in ("raw", "z"))
    scorer = Ensemble(members=forms).fit(good)
    usual = np.quantile(scorer.score(good.batch), 0.99)
    assert (scorer.score(Batch(schema, faulty))[:, 0] > 2 * usual).all()


def test_options_and_members_survive_a_save(
    table: Sources, one_batch: Sources, shots: np.ndarray, tmp_path: Path, agree: Callable[..., None]
) -> None:
    scorer = Ensemble(members=({"scorer": "nearest_neighbours", "neighbours": 2}, "mahalanobis"), combination="max")
    scorer.fit(table(shots[:1000])).save(tmp_path)
    loaded = Ensemble.load(tmp_path)
    batch = one_batch(table(shots[:500]))
    agree(loaded.score(batch), scorer.score(batch))
    assert loaded.members_[0].neighbours == 2
    assert "lynkeus.scorers" not in "".join(file.read_text() for file in tmp_path.rglob("*.json"))
    (tmp_path / "member_1" / "calibration.json").write_text(json.dumps({"levels": []}))
    with pytest.raises(ModelError, match="member_1"):
        Ensemble.load(tmp_path)


@pytest.mark.parametrize(
    ("members", "message"),
    [
        (("orbit",), "orbit cannot be a member"),
        (("mahalanobis", "ensemble"), "ensemble cannot be a member"),
        (("unheard_of",), "no scorer called 'unheard_of'"),
        (({"scorer": "mahalanobis", "speed": 3},), "mahalanobis does not take these options.*speed"),
        (({"neighbours": 3},), "a member is a name or"),
        ((), "needs members"),
    ],
)
def test_what_cannot_be_a_member_is_refused(table: Sources, shots: np.ndarray, members: tuple, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        Ensemble(members=members).fit(table(shots[:500]))


def test_a_member_that_refuses_is_named_with_the_kind(table: Sources, shots: np.ndarray) -> None:
    with pytest.raises(SchemaError, match=r"member discord: .*not a table"):
        Ensemble(members=("mahalanobis", "discord")).fit(table(shots[:500]))


def test_too_few_samples_and_an_unknown_combination_are_refused(table: Sources, shots: np.ndarray) -> None:
    with pytest.raises(CalibrationError, match=r"member mahalanobis: only 15 .* needs 20"):
        Ensemble().fit(table(shots[:15]))
    with pytest.raises(SettingsError, match="mean, max"):
        Ensemble(combination="median").fit(table(shots[:500]))
