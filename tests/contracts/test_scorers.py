"""Laws of every scorer, built in or plugged in, of the kinds of its `about`; it refuses every other kind in words.

Those of runs: test_run_scorers; of hits: tests/scorers/hits. The sample: three modes seen by twenty channels, and noise
of their own, as a table and in windows of ten shots.
"""

import atexit
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from lynkeus.core import Batch, Schema, SchemaError, Scorer, Source, Tracking, concatenate, plugins
from lynkeus.fitting.fit import about_of

pytestmark = pytest.mark.slow(0.2)  # each; all together a minute
CHANNELS, SHOTS, FAULTY = 20, 6000, 7
FAULT = slice(300, 305)
QUICK = {"training": {"epochs": 15}}  # for networks
QUICKER = {
    "adversarial": {"training": {"epochs": 3, "batch_size": 96}, "encoder_training": {"epochs": 4, "batch_size": 128}}
}
SHORT = {"training": {"epochs": 2}}
SHORTER = {
    "adversarial": {name: own | {"epochs": 2} for name, own in QUICKER["adversarial"].items()},
    "inspect": SHORT | {"copies": 1},
}
SCORERS = {name: plugins.load("scorers", name) for name in sorted(plugins.entries("scorers"))}
NOT_OF_ANOMALIES = {
    name
    for name, found in SCORERS.items()
    if about_of(found).by_class or about_of(found).labels == "numbers" or about_of(found).generates
}
OF_PULSES = {"cavity"}  # takes the waveforms of a cavity's pulses only
CASES = [
    (name, kind)
    for name, scorer in SCORERS.items()
    for kind in ("table", "waveform")
    if kind in about_of(scorer).kinds and name not in OF_PULSES | NOT_OF_ANOMALIES
]
ELSEWHERE = sorted(
    name
    for name, scorer in SCORERS.items()
    if not {"histogram", "cloud", "hit", "text"} & set(about_of(scorer).kinds)
    and name not in dict(CASES)
    and name not in NOT_OF_ANOMALIES  # tests of their own: test_taggers, of text, regression, ...
)
NAMES = tuple(f"BPM.{number}/x" for number in range(CHANNELS))


@dataclass(frozen=True)
class Samples:
    """A source that holds its batches."""

    batches: tuple[Batch, ...]

    @property
    def schema(self) -> Schema:
        return self.batches[0].schema

    def __iter__(self) -> Iterator[Batch]:
        return iter(self.batches)


@cache
def shots(seed: int) -> np.ndarray:
    """(shots, channels) in mm."""
    modes = np.random.default_rng(0).normal(size=(3, CHANNELS))
    noise = np.random.default_rng(seed)
    return noise.normal(size=(SHOTS, 3)) @ modes * 0.05 + noise.normal(size=(SHOTS, CHANNELS)) * 0.02


def as_batch(kind: str, values: np.ndarray) -> Batch:
    """The shots one by one, or ten to a window."""
    start_ns = np.arange(len(values), dtype=np.int64) * 100_000_000
    if kind == "table":
        schema = Schema("table", NAMES, ("mm",), (CHANNELS,), sample_rate_hz=10.0)
        return Batch(schema, values, time_ns=start_ns, meta={"end_ns": start_ns + 100_000_000})
    schema = Schema("waveform", NAMES, ("mm",), (CHANNELS, 10), sample_rate_hz=10.0)
    windows = np.ascontiguousarray(values.reshape(-1, 10, CHANNELS).transpose(0, 2, 1))
    return Batch(schema, windows, time_ns=start_ns[::10], meta={"end_ns": start_ns[::10] + 1_000_000_000})


def cut(batch: Batch, *at: int) -> list[Batch]:
    return [batch[low:high] for low, high in zip((0, *at), (*at, len(batch)), strict=True)]


def good(kind: str, seed: int) -> Source:
    return Samples(tuple(cut(as_batch(kind, shots(seed)), 170, 400)))


def labelled(kind: str) -> Source:
    """Good samples, and 200 with an offset or noise in one channel, known to be anomalous."""
    batch, draw = as_batch(kind, shots(1)), np.random.default_rng(5)
    values, truth = batch.values.copy(), np.zeros(len(batch), np.int64)
    for row in range(0, 600, 3):
        size = 10.0 * shots(1).std() * draw.choice([-1.0, 1.0])
        values[row, draw.integers(CHANNELS)] += size if row % 2 else size * draw.normal(size=np.shape(values[row, 0]))
        truth[row] = 1
    return Samples((replace(batch, values=values, truth=truth),))


def good_pulses() -> Source:
    """Pulses of a cavity that fills and decays exponentially, probe, forward and reflected as I and Q, with noise."""
    time, noise = np.arange(182) * 1e-5, np.random.default_rng(4)
    forward = ((time > 5e-5) & (time < 1.4e-3)).astype(float)
    probe = np.where(forward > 0, -np.expm1(-1000 * (time - 5e-5)), 0.74 * np.exp(-1000 * (time - 1.4e-3))) * (
        time > 5e-5
    )
    values = np.stack([probe, 0 * time, forward, 0 * time, probe - forward, 0 * time])
    names = tuple(f"{signal}_{part}" for signal in ("probe", "forward", "reflected") for part in "iq")
    schema = Schema("waveform", names, ("MV/m",), (6, 182), 1e5)
    return Samples((Batch(schema, values + noise.normal(0, 1e-3, (100, 6, 182))),))


def good_images() -> Source:
    """Grey noise."""
    values = np.random.default_rng(4).integers(80, 180, (10, 1, 40, 48), dtype=np.uint8)
    return Samples((Batch(Schema("image", ("grey",), shape=(1, None, None)), values),))


def unseen(kind: str) -> Batch:
    return as_batch(kind, shots(2))[:600]


def in_pieces(scorer: Scorer, batches: list[Batch]) -> np.ndarray:
    """Scores of one batch after the other, as a watch gives them."""
    scores = []
    for batch in batches:
        scores.append(scorer.score(batch))
        if isinstance(scorer, Tracking):
            scorer.update(batch)
    return np.concatenate(scores)


@cache
def kept(name: str, kind: str) -> Path:
    """Fitted once: networks take their time."""
    folder = Path(tempfile.mkdtemp(prefix="lynkeus-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    fitted(name, kind).save(folder)
    return folder


def fitted(name: str, kind: str, options: dict | None = None) -> Scorer:
    """A newly fitted scorer; `options`: of networks."""
    scorer = SCORERS[name](**((options or QUICKER.get(name, QUICK)) if about_of(SCORERS[name]).learned else {}))
    source = labelled(kind) if about_of(scorer).labels else good(kind, seed=1)
    assert scorer.fit(source) is scorer
    return scorer


@pytest.fixture(params=CASES, ids="-".join)
def case(request: pytest.FixtureRequest) -> tuple[str, str]:
    """A scorer and a kind that it reads."""
    return request.param


@pytest.fixture
def name(case: tuple[str, str]) -> str:
    return case[0]


@pytest.fixture
def kind(case: tuple[str, str]) -> str:
    return case[1]


@pytest.fixture
def scorer(name: str, kind: str) -> Scorer:
    """One of its own for each test."""
    return SCORERS[name].load(kept(name, kind))


@pytest.fixture
def single(name: str) -> bool:
    """Whether it computes in single precision, as networks do."""
    return about_of(SCORERS[name]).learned


def test_it_fits_the_protocol_and_scores_every_sample(scorer: Scorer, kind: str) -> None:
    assert isinstance(scorer, Scorer)
    assert len(set(scorer.outputs)) == len(scorer.outputs) > 0
    scores = scorer.score(unseen(kind))
    assert scores.shape == (600, len(scorer.outputs))
    assert scores.dtype == np.float64
    assert np.isfinite(scores).all()
    assert scorer.score(unseen(kind)[:0]).shape == (0, len(scorer.outputs))


def test_scoring_leaves_the_scorer_and_the_samples_alone(
    scorer: Scorer, kind: str, single: bool, agree: Callable[..., None]
) -> None:
    batch = unseen(kind)
    before = batch.values.copy()
    first = scorer.score(batch)
    scorer.explain(batch)
    agree(scorer.score(batch), first, single)
    np.testing.assert_array_equal(batch.values, before)


@pytest.mark.parametrize(
    "change",
    [
        {"names": NAMES[::-1]},
        {"names": ("renamed", *NAMES[1:])},
        {"units": ("um",)},
        {"sample_rate_hz": 20.0},
        {"instrument": "another"},
    ],
    ids=lambda change: next(iter(change)),
)
def test_another_schema_is_refused_and_the_difference_named(scorer: Scorer, kind: str, change: dict) -> None:
    batch = unseen(kind)
    other = replace(batch, schema=replace(batch.schema, **change))
    for ask in (scorer.score, scorer.explain):
        with pytest.raises(SchemaError, match=next(iter(change))):
            ask(other)


def test_samples_without_data_have_no_score(scorer: Scorer, kind: str) -> None:
    batch = unseen(kind)
    values = batch.values.copy()
    values[100:103] = np.nan
    values[200, 0] = np.nan
    scores = scorer.score(batch.with_values(values))
    assert np.isnan(scores[100:103]).all()
    assert np.isfinite(np.delete(scores, [100, 101, 102, 200], axis=0)).all()
    assert not np.isinf(scores[200]).any()


def test_a_planted_offset_scores_high_and_is_explained_by_its_channel(scorer: Scorer, kind: str) -> None:
    batch = unseen(kind)
    values = batch.values.copy()
    values[FAULT, FAULTY] += 10.0 * shots(1)[:, FAULTY].std()
    planted = batch.with_values(values)
    usual = np.quantile(scorer.score(batch), 0.99, axis=0)
    assert (scorer.score(planted)[FAULT] > usual).any(axis=1).all()
    evidence = scorer.explain(planted)
    assert evidence.shape == planted.values.shape
    assert np.isfinite(evidence).all()
    by_channel = evidence[FAULT].reshape(5, CHANNELS, -1).sum(axis=2)
    assert (by_channel.argmax(axis=1) == FAULTY).all()


def test_fitting_again_gives_the_same_scores(name: str, kind: str, single: bool, agree: Callable[..., None]) -> None:
    """A training multiplies what was rounded: networks get two epochs, where 1e-7 becomes 1e-5 at most (0.05 in 15).

    Another seed moves the scores by 0.02 to 1 of the largest.
    """
    batch = unseen(kind)
    if not single:
        agree(fitted(name, kind).score(batch), SCORERS[name].load(kept(name, kind)).score(batch))
        return
    first, again = (fitted(name, kind, SHORTER.get(name, SHORT)).score(batch) for _ in range(2))
    np.testing.assert_allclose(again, first, rtol=0, atol=1e-3 * np.abs(first).max())


def test_a_saved_scorer_comes_back_without_pickle(
    scorer: Scorer, kind: str, single: bool, tmp_path: Path, agree: Callable[..., None]
) -> None:
    scorer.save(tmp_path)
    assert {file.suffix for file in tmp_path.rglob("*") if file.is_file()} <= {".safetensors", ".json"}
    loaded = type(scorer).load(tmp_path)
    assert loaded.outputs == scorer.outputs
    agree(loaded.score(unseen(kind)), scorer.score(unseen(kind)), single)
    agree(loaded.explain(unseen(kind)), scorer.explain(unseen(kind)), single)
    again = tmp_path / "again"
    again.mkdir()
    loaded.save(again)  # what was learned comes back to the last bit
    for file in again.rglob("*.safetensors"):
        assert file.read_bytes() == (tmp_path / file.relative_to(again)).read_bytes()
    with pytest.raises(SchemaError):
        loaded.score(replace(unseen(kind), schema=replace(unseen(kind).schema, names=NAMES[::-1])))


def test_how_the_samples_are_cut_into_batches_does_not_matter(scorer: Scorer, kind: str) -> None:
    whole = scorer.score(unseen(kind))
    cuts = in_pieces(scorer, cut(unseen(kind), 1, 2, 250, 257, 590))
    np.testing.assert_allclose(cuts, whole, rtol=1e-4, atol=1e-4)  # some compute in single precision


@pytest.mark.parametrize("case", [case for case in CASES if issubclass(SCORERS[case[0]], Tracking)], ids="-".join)
def test_a_tracking_scorer_goes_on_after_a_restart(
    scorer: Scorer, kind: str, tmp_path: Path, agree: Callable[..., None]
) -> None:
    assert isinstance(scorer, Tracking)
    first, second = cut(unseen(kind), 300)
    scorer.save(tmp_path)
    in_pieces(scorer, [first])
    state = {key: np.array(value) for key, value in scorer.state().items()}
    expected = scorer.score(second)
    restarted = type(scorer).load(tmp_path)
    restarted.resume(state)
    agree(restarted.score(second), expected)
    scorer.resume({})
    agree(scorer.score(first), type(scorer).load(tmp_path).score(first))


@pytest.mark.parametrize("layout", ["table", "waveform"])
def test_the_samples_themselves_are_of_one_stream(layout: str) -> None:
    joined = concatenate(list(good(layout, seed=1)))
    np.testing.assert_array_equal(joined.values, as_batch(layout, shots(1)).values)


@pytest.mark.parametrize("name_of_images_or_pulses", ELSEWHERE)
def test_every_other_scorer_takes_pulses_or_images(name_of_images_or_pulses: str) -> None:
    found = SCORERS[name_of_images_or_pulses]
    source = good_images() if about_of(found).kinds == ("image",) else good_pulses()
    options = SHORTER.get(name_of_images_or_pulses, SHORT) if about_of(found).learned else {}
    scores = found(**options).fit(source).score(next(iter(source)))
    assert np.isfinite(scores).all()


@pytest.mark.parametrize("refusing", SCORERS)
def test_every_kind_that_a_scorer_does_not_read_is_refused_in_words(refusing: str) -> None:
    """Those of runs: test_run_scorers."""
    sources = {"table": labelled("table"), "waveform": labelled("waveform"), "image": good_images()}
    for other, source in sources.items():
        if other not in about_of(SCORERS[refusing]).kinds or (refusing in OF_PULSES and other == "waveform"):
            with pytest.raises(SchemaError, match=other):
                SCORERS[refusing]().fit(source)
