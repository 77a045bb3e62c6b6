"""Adversarial: both trainings, what a collapse looks like, half precision. Images: see test_generative_laws."""

from pathlib import Path

import numpy as np
import pytest
import torch

from lynkeus.core import Batch, Schema, SettingsError
from lynkeus.scorers.learned.adversarial.scorer import Adversarial
from lynkeus.sources import InMemory
from lynkeus.training import Session, use_session

pytestmark = pytest.mark.slow(0.5)  # each, about: many of them, or processes of their own

SHORT = {"width": 16, "training": {"epochs": 3}, "encoder_training": {"epochs": 3}}


def rows(count: int = 300, seed: int = 1) -> Batch:
    rng = np.random.default_rng(seed)
    motions = np.random.default_rng(0).normal(size=(2, 6))
    values = rng.normal(size=(count, 2)) @ motions + 0.1 * rng.normal(size=(count, 6))
    return Batch(Schema("table", tuple("abcdef"), (), (6,)), values)


def test_the_encoder_is_trained_on_a_generator_that_stands_still(tmp_path: Path) -> None:
    kept = {}
    for name, encoding in (("short", 1), ("long", 3)):
        scorer = Adversarial(**{**SHORT, "encoder_training": {"epochs": encoding}}).fit(InMemory(rows()))
        kept[name] = {part: network.state_dict() for part, network in scorer.task_.networks.items()}
    for part, same in (("generator", True), ("critic", True), ("encoder", False)):
        pairs = [(kept["short"][part][key], value) for key, value in kept["long"][part].items()]
        assert all(torch.allclose(one, other, rtol=1e-3, atol=1e-4) for one, other in pairs) is same  # see test_loop


def test_the_verdicts_on_both_trainings_are_told() -> None:
    scorer = Adversarial(**SHORT).fit(InMemory(rows()))
    assert scorer.history_.title == "adversarial, encoder izi_f"
    assert scorer.history_.messages[0].startswith("generator:")
    assert "by its energy score" in scorer.history_.messages[0]


def test_the_game_plays_all_of_its_epochs() -> None:
    patient = {"width": 16, "training": {"epochs": 8, "patience": 1}}
    assert len(Adversarial("anogan", **patient).fit(InMemory(rows())).history_.epochs) == 8


def test_a_generator_that_makes_one_thing_is_reported_as_a_collapse() -> None:
    """A weight decay that leaves nothing of the generator."""
    broken = {"epochs": 10, "decay": 100.0}
    scorer = Adversarial(width=16, training=broken, encoder_training={"epochs": 2}).fit(InMemory(rows()))
    assert scorer.history_.verdict == "collapsed"
    assert "collapsed" in scorer.history_.messages[0]
    game_only = Adversarial("anogan", width=16, training=broken).fit(InMemory(rows()))
    assert game_only.history_.verdict == "collapsed"


def test_a_killed_training_goes_on_and_ends_the_same(tmp_path: Path) -> None:
    """The game has ended when the encoder's training is killed: its checkpoint is damaged here."""
    batch = rows(50, seed=2)
    with use_session(Session(device="cpu", folder=tmp_path)):
        expected = Adversarial(**SHORT).fit(InMemory(rows())).score(batch)
        newest = max(tmp_path.iterdir(), key=lambda folder: folder.stat().st_mtime_ns)
        for file in newest.iterdir():
            file.unlink()
        again = Adversarial(**SHORT).fit(InMemory(rows()))
    afresh = Adversarial(**SHORT).fit(InMemory(rows()))
    for scores in (again.score(batch), afresh.score(batch)):  # training multiplies what was rounded, see test_loop
        np.testing.assert_allclose(scores, expected, rtol=0, atol=1e-3 * expected.max())


def test_another_way_of_scoring_does_not_go_on_from_the_checkpoint_of_the_first(tmp_path: Path) -> None:
    batch = rows(50, seed=2)
    with use_session(Session(device="cpu", folder=tmp_path)):
        scores = [Adversarial(score_by, **SHORT).fit(InMemory(rows())).score(batch) for score_by in ("izi", "ziz")]
    assert len(list(tmp_path.iterdir())) == 3  # one game, two encoders
    assert not np.allclose(*scores)


def test_it_trains_in_half_precision() -> None:
    with use_session(Session(device="cpu", precision="bf16-mixed")):
        scorer = Adversarial(**SHORT).fit(InMemory(rows()))
    assert np.isfinite(scorer.score(rows(20))).all()
    assert scorer.history_.verdict != "diverged"


def test_another_score_is_refused_and_the_choices_named() -> None:
    with pytest.raises(SettingsError, match="izi, ziz, izi_f, anogan"):
        Adversarial("ganomaly").fit(InMemory(rows(20)))
