"""Images of 8 bits: kept as they are, standardised on the device, trained on as published, faster where asked for."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
import pytest
import torch

from lynkeus.core import Batch, Schema, SettingsError
from lynkeus.networks.standardise import Standardise
from lynkeus.scorers.learned.adversarial.families import FAMILIES
from lynkeus.scorers.learned.adversarial.scorer import Adversarial
from lynkeus.scorers.learned.autoencoder import Autoencoder
from lynkeus.sources import InMemory
from lynkeus.training import Session, use_session
from lynkeus.transforms import inputs as inputs_module
from lynkeus.transforms.inputs import WINDOWS, Inputs, read_samples

pytestmark = pytest.mark.slow(0.5)  # each, about: many of them, or processes of their own

SMALL = {"network": "dcgan", "latent": 4, "width": 4, "training": {"epochs": 2, "batch_size": 32}}
SHORT = {**SMALL, "encoder_training": {"epochs": 2, "batch_size": 32}}


def images(count: int = 100, seed: int = 1, side: int = 16) -> Batch:
    rng = np.random.default_rng(seed)
    values = rng.integers(0, 256, (count, 3, side, side)).astype(np.uint8)
    return Batch(Schema("image", ("red", "green", "blue"), (), (3, side, side)), values)


@dataclass(frozen=True)
class Stream:
    """As many batches of new images as are asked for, in no memory; each image holds its number."""

    batches: int
    size: int = 50
    side: int = 64

    @property
    def schema(self) -> Schema:
        return Schema("image", ("red", "green", "blue"), (), (3, self.side, self.side))

    def __iter__(self) -> Iterator[Batch]:
        for number in range(self.batches):
            values = np.zeros((self.size, 3, self.side, self.side), np.uint8)
            values[:, 0, 0, 0], values[:, 0, 0, 1] = number, np.arange(self.size)
            yield Batch(self.schema, values, truth=np.full(self.size, number % 2))


def test_images_of_8_bits_stay_that_and_no_more_are_held_than_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inputs_module, "MOST_BYTES", 1_500_000)
    values, labels, seen, _ = read_samples(Stream(40), 100_000, 0, "this")
    assert values.dtype == np.uint8
    assert seen == 2000
    assert 110 < len(values) <= 1_500_000 // (3 * 64 * 64)
    number = values[:, 0, 0, 0].astype(int) * 50 + values[:, 0, 0, 1]
    assert (np.diff(number) > 0).all()  # in their order
    assert number[-1] > 1800 > 200 > number[0]  # from all of the stream
    np.testing.assert_array_equal(labels, values[:, 0, 0, 0] % 2)


def test_it_is_said_that_not_all_images_were_learned_from(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inputs_module, "MOST_BYTES", 100_000)
    scorer = Autoencoder(width=2, training={"epochs": 1}).fit(InMemory(images(300)))
    assert "learned from 127 of 300 samples, drawn at random" in scorer.history_.messages
    assert not Autoencoder(width=2, training={"epochs": 1}).fit(InMemory(images(50))).history_.messages


@pytest.mark.parametrize("windows", WINDOWS)
@pytest.mark.parametrize("kind", ["uint8", "float64"])
def test_the_layer_standardises_as_the_array_code_does(windows: str, kind: str) -> None:
    rng = np.random.default_rng(0)
    values = rng.integers(0, 255, (60, 2, 5, 5)).astype(kind)
    if kind == "float64":
        values += 1e6  # a large offset, seen in single precision, would leave a sixteenth of a unit
        values[0, 1, 2, 3], values[1, 0, 0, 0] = np.nan, np.inf
    inputs = Inputs.fit(np.where(np.isfinite(values), values, np.nan), windows)
    found = Standardise(inputs)(torch.from_numpy(values)).numpy()
    np.testing.assert_allclose(found, inputs.of(values), rtol=2e-4, atol=2e-4 if kind == "uint8" else 1e-5)


def test_images_of_8_bits_train_and_score_as_the_same_numbers_as_floats() -> None:
    given, seen = images(150), images(30, 2)
    as_float = [batch.with_values(batch.values.astype(np.float32)) for batch in (given, seen)]
    scorer = Adversarial("izi", **SHORT).fit(InMemory(given))
    other = Adversarial("izi", **SHORT).fit(InMemory(as_float[0]))
    np.testing.assert_allclose(scorer.score(seen), other.score(as_float[1]), rtol=0.01)
    np.testing.assert_allclose(scorer.score(seen), scorer.score(as_float[1]), rtol=1e-4)
    assert "parameters: generator" in scorer.history_.messages[0]


def test_the_generator_stands_still_with_its_batch_norms_while_the_encoder_learns() -> None:
    kept = {}
    for epochs in (1, 3):
        scorer = Adversarial(**{**SHORT, "encoder_training": {"epochs": epochs}}).fit(InMemory(images()))
        kept[epochs] = scorer.task_.networks["generator"].state_dict()
    assert all(torch.allclose(kept[1][name], value, rtol=1e-3, atol=1e-4) for name, value in kept[3].items())


def test_the_preset_is_what_was_published() -> None:
    task = Adversarial(network="dcgan").make_task((1, 28, 28))
    settings = Adversarial(network="dcgan")._game_settings(120_000)
    assert task.latent == 2048
    assert settings.learning_rate == 1e-5
    assert FAMILIES["dcgan"].betas == task.betas == (0.25, 0.999)
    assert settings.batch_size == 3 * 128
    assert abs(settings.epochs * 120_000 / settings.batch_size - 400_000) < 400
    assert Adversarial(network="dcgan", generator_steps=10)._game_settings(100).epochs == 10
    with pytest.raises(SettingsError, match="auto, dcgan"):
        Adversarial(network="resnet").make_task((1, 28, 28))


def test_channels_last_changes_nothing_but_the_speed() -> None:
    scores = []
    for channels_last in (False, True):
        with use_session(Session(device="cpu", channels_last=channels_last)):
            scorer = Adversarial("izi", **SHORT).fit(InMemory(images()))
        assert all(weight.is_contiguous() for weight in scorer.task_.networks.parameters())
        scores.append(scorer.score(images(20, 3)))
    np.testing.assert_allclose(*scores, rtol=0.02)


@pytest.mark.slow(6)
@pytest.mark.filterwarnings("ignore")  # of torch about itself, while it traces
def test_compiled_networks_train_and_come_back_as_they_were(monkeypatch: pytest.MonkeyPatch) -> None:
    """Traced and differentiated as by the compiler, but run by PyTorch: to write and translate C++ takes 90 seconds."""
    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend="aot_eager"))
    even = {**SHORT, "training": {"epochs": 2, "batch_size": 45}, "encoder_training": {"epochs": 2, "batch_size": 45}}
    with use_session(Session(device="cpu", compiled=True)):  # once for each size of batch: 90 images are two batches
        scorer = Adversarial("izi", **even).fit(InMemory(images()))
    plain = Adversarial("izi", **even).fit(InMemory(images()))
    assert list(scorer.task_.networks.state_dict()) == list(plain.task_.networks.state_dict())
    np.testing.assert_allclose(scorer.score(images(20, 3)), plain.score(images(20, 3)), rtol=0.05)
