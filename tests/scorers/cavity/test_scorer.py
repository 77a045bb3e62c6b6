"""Pulses of cavities whose truth is known in closed form or planted sample by sample; an integrator of their own."""

import re
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from lynkeus.core import Batch, Finds, ModelError, Schema, SchemaError, Scorer
from lynkeus.scorers.cavity.scorer import CHANNELS, Cavity
from lynkeus.simulate.cavity.faults import CLASSES
from lynkeus.sources import InMemory

STEP_S, LENGTH, START, FILL, END = 1e-6, 1820, 10, 750, 1400
HZ = 180.0
GAINS = np.array([0.8 * np.exp(0.4j), 31.0 * np.exp(-1j), 5.0 * np.exp(2j)])  # unknown units


def pulses(
    n: int, seed: int = 0, half_bandwidth_hz: float = HZ, noise: float = 1e-3, **change: np.ndarray
) -> np.ndarray:
    """(n, 3, 1820): open loop, beam in the flat top, Euler steps; `change`: arrays (1820,) that act on every pulse."""
    rng = np.random.default_rng(seed)
    time = np.arange(LENGTH)
    w = 2 * np.pi * half_bandwidth_hz
    ext, w = w, w * change.get("losses", np.ones(LENGTH))
    d = 2 * np.pi * (40 - 250 * np.clip((time - START) / END, 0, 1.2) + change.get("detuning_hz", np.zeros(LENGTH)))
    drive = np.where((time >= START) & (time < END), np.where(time < FILL, 10.0, 8.0), 0.0) * change.get("gate", 1.0)
    beam = np.where((time >= FILL + 20) & (time < END), -2.0, 0.0) * change.get("beam", 1.0)
    wave = (drive[:, None] * (1 + 0.003 * rng.normal(size=n))).astype(complex)
    probe, field = np.empty((LENGTH, n), complex), np.zeros(n, complex)
    shift = 2 * np.pi * 3 * rng.normal(size=n)
    for k in time:
        field = field + STEP_S * ((-w[k] + 1j * (d[k] + shift)) * field + 2 * ext * (wave[k] + beam[k]))
        probe[k] = field
    signals = (
        np.stack([probe, wave + 0.02j * (probe - wave), probe - wave])
        * change.get("channels", np.ones((3, LENGTH)))[:, :, None]
    )
    signals += noise * 10 * (rng.normal(size=signals.shape) + 1j * rng.normal(size=signals.shape))
    return (signals * GAINS[:, None, None]).transpose(2, 0, 1)


def as_batch(signals: np.ndarray, cavity: str = "C1.M1.A10.L3") -> Batch:
    n, _, length = signals.shape
    mean = signals[:, :, : length // 10 * 10].reshape(n, 3, length // 10, 10).mean(3)
    values = np.stack([mean.real, mean.imag], axis=2).reshape(n, 6, length // 10).astype(np.float32)
    schema = Schema("waveform", CHANNELS, ("V",), (6, length // 10), 1e5, (), "xfel_llrf")
    return Batch(schema, values, meta={"cavity": np.full(n, cavity), "pid": np.arange(n)})


@cache
def fitted() -> Cavity:
    return Cavity().fit(InMemory(as_batch(pulses(150, seed=1)), 60))


def after(onset_us: int, value: complex, otherwise: complex = 1.0) -> np.ndarray:
    return np.where(np.arange(LENGTH) >= onset_us, value, otherwise)


def on_channel(number: int, factor: np.ndarray) -> np.ndarray:
    return np.where(np.arange(3)[:, None] == number, factor, 1)


def late(signals: np.ndarray, number: int, by_us: int) -> np.ndarray:
    moved = signals.copy()
    moved[:, number] = np.roll(signals[:, number], by_us, axis=1)
    return moved


def faulty(name: str) -> np.ndarray:
    """Eight pulses with a plain fault."""
    time = np.arange(LENGTH)
    ring = 1 + 0.05 * np.where(time > 900, np.exp(-(time - 900) / 200) * np.sin(2 * np.pi * 12e3 * time * STEP_S), 0)
    changes = {
        "quench": {"losses": after(900, 1.4)},
        "detuning": {"detuning_hz": np.full(LENGTH, 60.0)},
        "probe_jump": {"channels": on_channel(0, after(800, 1.05))},
        "ringing": {"channels": on_channel(0, ring)},
        "pulse_cut": {"gate": after(1000, 0.0), "beam": after(1000, 0.0)},
        "hardware": {"channels": on_channel(2, after(500, 0.0))},
        "beam_loss": {"beam": after(1000, 0.0)},
        "misalignment": {},
    }[name]
    made = pulses(8, seed=3, **changes)
    return late(made, 1, 30) if name == "misalignment" else made


def test_it_is_a_scorer_that_finds() -> None:
    assert isinstance(fitted(), Scorer)
    assert isinstance(fitted(), Finds)
    assert fitted().outputs == ("anomaly", *CLASSES[1:])


def test_healthy_pulses_look_healthy() -> None:
    batch = as_batch(pulses(200, seed=2))
    scores = fitted().score(batch)
    assert scores.shape == (200, 9)
    assert scores.dtype == np.float64
    assert np.median(scores[:, 0]) < 2
    assert (fitted().classify(batch) == "").all()


@pytest.mark.parametrize("name", CLASSES[1:])
def test_every_fault_is_seen_and_named(name: str) -> None:
    batch = as_batch(faulty(name))
    assert (fitted().score(batch)[:, 0] > 10).all()
    assert set(fitted().classify(batch)) == {name}


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("quench", r"half bandwidth up (3\d|4\d) % from 0\.(8\d|9\d?) ms \(1\d\d -> 2\d\d Hz\), detuning [+-]\d+ Hz"),
        ("detuning", r"^detuning \+(5|6)\d Hz"),
        ("probe_jump", r"probe jumps by (4\.\d|5) % at 0\.\d+ ms"),
        ("misalignment", "forward (29|30|31) us late"),
        ("ringing", r"rings at 1[12]\.\d kHz"),
        ("pulse_cut", r"drive off at 1(\.0\d)? ms, (39|40)\d us early"),
        ("hardware", "contradict each other"),
        ("beam_loss", r"(9\d|10\d) % of the beam lost from (0\.9\d?|1) ms"),
    ],
)
def test_what_is_wrong_is_told(name: str, says: str) -> None:
    told = fitted().find(as_batch(faulty(name)), "anomaly")[0][0].says
    assert re.search(says, told), told
    assert told == fitted().find(as_batch(faulty(name)), name)[0][0].says


def test_a_quench_is_seen_long_before_the_field_drops() -> None:
    """Five per cent more losses take two per cent of the field."""
    changed, usual = pulses(20, seed=4, losses=after(900, 1.05)), pulses(20, seed=4)
    drop = 1 - np.abs(changed[:, 0, :END]).mean(0)[-50:].mean() / np.abs(usual[:, 0, :END]).mean(0)[-50:].mean()
    assert drop < 0.03
    scores = fitted().score(as_batch(changed))
    assert (scores[:, 1] > 6).mean() > 0.8
    assert set(fitted().classify(as_batch(changed))) <= {"quench", ""}


@pytest.mark.parametrize("half_bandwidth_hz", [50.0, 500.0])
def test_any_half_bandwidth_without_noise(half_bandwidth_hz: float) -> None:
    scorer = Cavity().fit(InMemory(as_batch(pulses(60, 5, half_bandwidth_hz, noise=0.0))))
    assert scorer.baselines_[""].model.half_bandwidth / (2 * np.pi) == pytest.approx(half_bandwidth_hz, rel=0.02)
    quench = as_batch(pulses(10, 6, half_bandwidth_hz, noise=0.0, losses=after(900, 1.4)))
    healthy = as_batch(pulses(30, 7, half_bandwidth_hz, noise=0.0))
    assert set(scorer.classify(quench)) == {"quench"}
    assert (scorer.classify(healthy) == "").mean() > 0.9


def test_faulty_pulses_in_the_reference_do_no_harm() -> None:
    mixed = np.concatenate([pulses(150, seed=1), faulty("quench")[:2], faulty("hardware")[:1]])
    scorer = Cavity().fit(InMemory(as_batch(mixed)))
    assert set(scorer.classify(as_batch(faulty("quench")))) == {"quench"}
    assert set(scorer.classify(as_batch(faulty("hardware")))) == {"hardware"}


def test_each_cavity_is_judged_by_itself() -> None:
    one, other = as_batch(pulses(60, 1), "A"), as_batch(pulses(60, 2, 260.0), "B")
    joined = replace(
        one,
        values=np.concatenate([one.values, other.values]),
        meta={"cavity": np.repeat(["A", "B"], 60)},
    )
    scorer = Cavity().fit(InMemory(joined))
    assert set(scorer.baselines_) >= {"A", "B"}
    assert (scorer.classify(as_batch(pulses(20, 3, 260.0), "B")) == "").all()
    assert (scorer.classify(as_batch(pulses(20, 3, 260.0), "A")) != "").all()


def test_missing_samples() -> None:
    batch = as_batch(pulses(4, seed=9))
    values = batch.values.copy()
    values[0] = np.nan
    values[1, 0, 50:53] = np.nan
    values[2, 3] = np.nan
    scores = fitted().score(batch.with_values(values))
    assert np.isnan(scores[0]).all()
    assert np.isfinite(scores[1:]).all()
    assert scores[1, 0] < 6
    assert list(fitted().classify(batch.with_values(values))[[0, 2]]) == ["", "hardware"]


def test_what_is_explained_is_where_the_fault_is(agree: Callable[..., None]) -> None:
    for name, channel, first in (("quench", 0, 85), ("pulse_cut", 1, 98), ("misalignment", 1, 0)):
        batch = as_batch(faulty(name))
        shown = fitted().explain(batch, name)
        assert shown.shape == batch.values.shape
        assert np.isfinite(shown).all()
        parts = shown.reshape(len(batch), 3, -1).sum(axis=2)
        assert (parts.argmax(axis=1) == channel).all()
        assert shown[:, :, first:].sum() > 0.7 * shown.sum()
    agree(fitted().explain(batch), fitted().explain(batch, "misalignment"))


def test_a_saved_scorer_comes_back(tmp_path: Path, agree: Callable[..., None]) -> None:
    fitted().save(tmp_path)
    assert {file.suffix for file in tmp_path.iterdir()} <= {".safetensors", ".json"}
    loaded, batch = Cavity.load(tmp_path), as_batch(faulty("quench"))
    agree(loaded.score(batch), fitted().score(batch))
    assert loaded.find(batch, "quench")[0][0].says == fitted().find(batch, "quench")[0][0].says
    (tmp_path / "scorer.json").write_text((tmp_path / "scorer.json").read_text().replace('"level"', '"limit"'))
    with pytest.raises(ModelError, match="limit"):
        Cavity.load(tmp_path)


@pytest.mark.parametrize(
    ("schema", "says"),
    [
        (Schema("table", ("a",), (), (1,)), "waveform.*not a table"),
        (Schema("waveform", ("a", "b"), (), (2, 182), 1e5), "this waveform has a, b"),
        (Schema("waveform", CHANNELS, (), (6, 182)), "known rate"),
        (Schema("waveform", CHANNELS, (), (6, 10), 1e5), "at least 40 samples"),
    ],
)
def test_other_data_are_refused(schema: Schema, says: str) -> None:
    batch = Batch(schema, np.zeros((3, *schema.shape)))
    with pytest.raises(SchemaError, match=says) as caught:
        Cavity().fit(InMemory(batch))
    assert "\n" not in str(caught.value)


def test_pulses_that_are_none_are_refused_in_words() -> None:
    healthy = as_batch(pulses(30, seed=1))
    for values, says in (
        (healthy.values[:5], "5 pulses"),
        (np.zeros_like(healthy.values), "no drive"),
        (healthy.values[:, [2, 3, 0, 1, 4, 5]], "field|order|channels"),
    ):
        with pytest.raises(SchemaError, match=says):
            Cavity().fit(InMemory(Batch(healthy.schema, values)))
    with pytest.raises(SchemaError, match="instrument"):
        fitted().score(replace(healthy, schema=replace(healthy.schema, instrument="another")))


def test_pulses_of_other_length_and_no_beam() -> None:
    made = pulses(60, seed=1, beam=np.zeros(LENGTH))
    padded = np.concatenate([np.repeat(made[:, :, :1], 228, axis=2), made], axis=2)
    scorer = Cavity().fit(InMemory(as_batch(padded)))
    assert padded.shape[2] == 2048
    quench = pulses(5, seed=2, beam=np.zeros(LENGTH), losses=after(900, 1.4))
    later = np.concatenate([np.repeat(quench[:, :, :1], 228, axis=2), quench], axis=2)
    assert set(scorer.classify(as_batch(later))) == {"quench"}
    assert np.all(scorer.score(as_batch(later))[:, CLASSES.index("beam_loss")] < 6)
