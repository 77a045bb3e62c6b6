"""Texts by several questions: right on texts that were not seen, probabilities that hold, words that say why."""

from pathlib import Path

import numpy as np
import pytest

from lynkeus.core import Batch, Schema, SettingsError
from lynkeus.fitting.fit import FitSettings, fit
from lynkeus.fitting.fitted import Fitted
from lynkeus.fitting.tables import columns
from lynkeus.metrics.reliability import calibration_error
from lynkeus.scorers.texts import loops
from lynkeus.scorers.texts.features import Embedding
from lynkeus.scorers.texts.scorer import Text
from lynkeus.sources import InMemory

FIELDS = {
    "vacuum": ["Druck", "Ventil", "Pumpe", "leak", "pressure", "valve", "turbo", "próżnia", "pompa", "Gate", "gauge"],
    "rf": ["Klystron", "Kavität", "quench", "phase", "amplitude", "modulator", "trip", "fala", "klistron", "gradient"],
    "cryo": ["Helium", "kalt", "compressor", "level", "temperature", "Kälte", "hel", "cooldown", "bath", "cold"],
}
LEVELS = {"senior": ["leads", "Leitung", "kieruje"], "junior": ["helps", "lernt", "pomaga"]}
FILL = [
    "der", "die", "und", "the", "and", "of", "w", "na", "z", "beam", "shift", "logbook", "today", "again", "we", "were",
    "no", "not", "for", "bei", "mit", "12", "3",
]  # fmt: skip


def some(many: int, seed: int) -> Batch:
    rng = np.random.default_rng(seed)
    field, level = rng.choice(list(FIELDS), many), rng.choice(list(LEVELS), many)
    values = np.empty(many, object)
    for k in range(many):
        words = [*rng.choice(FILL, 14), *rng.choice(FIELDS[field[k]], 3), *rng.choice(LEVELS[level[k]], 1)]
        other = rng.choice(FIELDS[str(rng.choice(list(FIELDS)))], 1)
        values[k] = " ".join(rng.permutation([*words, *other]))
    return Batch(Schema("text", ("text",), shape=()), values, meta={"field": field, "level": level})


@pytest.fixture(scope="module")
def fitted() -> Fitted:
    return fit(InMemory(some(300, 1)), FitSettings("text", {"embedding": "no"}, labels="field,level"))


def answers(fitted: Fitted, batch: Batch) -> dict[str, np.ndarray]:
    (scored,) = fitted.score(InMemory(batch))
    return {name: np.asarray(column) for name, column in columns(fitted, scored, 0).items()}


def test_several_questions_are_answered(fitted: Fitted) -> None:
    later = some(300, 2)
    found = answers(fitted, later)
    assert (found["field"] == later.meta["field"]).mean() > 0.85
    assert (found["level"] == later.meta["level"]).mean() > 0.9
    own = np.stack([found[f"p_field_{name}"] for name in sorted(FIELDS)], axis=1)
    np.testing.assert_allclose(own.sum(axis=1), 1.0, atol=1e-6)
    truth = np.searchsorted(sorted(FIELDS), later.meta["field"])
    assert calibration_error(own, truth, None) < 0.1
    assert list(found)[1:3] == ["known_field", "known_level"]


def test_words_say_why(fitted: Fitted) -> None:
    scorer = fitted.scorer
    assert isinstance(scorer, Text)
    text = np.empty(1, object)
    text[0] = "the Klystron and the helium today"
    (words,) = scorer.words(Batch(some(1, 3).schema, text), "p_field_rf")
    named = dict(words)
    assert named["klystron"] > 0 > named["helium"]
    with pytest.raises(SettingsError, match="no output 'p_field_moon'"):
        scorer.words(some(1, 3), "p_field_moon")


def test_an_empty_text_has_no_answer(fitted: Fitted) -> None:
    later = some(3, 4)
    later.values[1] = "  "
    found = answers(fitted, later)
    assert found["field"][1] == ""
    assert np.isnan(found["p_field_rf"][1])
    assert np.isfinite(found["p_field_rf"][[0, 2]]).all()


def test_scripts_and_numbers_are_words_like_others(fitted: Fitted) -> None:
    later = some(2, 4)
    later.values[0] = "<script>alert(1)</script> \u0000 \U0001f4a5 " + "9" * 5000
    assert np.isfinite(answers(fitted, later)["p_level_junior"]).all()


def test_compiled_loops_say_what_numpy_says(fitted: Fitted, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("numba", reason="install the extra that compiles loops")
    later = some(40, 6)
    # Capitals that are one letter, two letters, another one at the end of a word, or beyond 16 bits; nothing known.
    later.values[:5] = "KLYSTRON Ventil ΣΊΣΥΦΟΣ", "İstanbul Pumpe", "\U00010400 \U0001f4a5 helium", "", "q"
    later.values[5] = "Klystron " * 6000  # more often than logarithms are kept of, and more than is read
    scorer = fitted.scorer
    plain = scorer.score(later)
    monkeypatch.setattr(loops, "ENOUGH", 0)
    assert loops.compiled(1) is not None
    fast = scorer.score(Batch(later.schema, later.values))
    np.testing.assert_allclose(fast, plain, atol=1e-5)
    assert np.ptp(plain[6:, 0]) > 0.1


def test_a_folder_gives_the_same_answers(fitted: Fitted, tmp_path: Path) -> None:
    fitted.save(tmp_path / "M")
    later = some(50, 5)
    before, after = answers(fitted, later), answers(Fitted.load(tmp_path / "M"), later)
    for name, column in before.items():
        if column.dtype.kind == "f":
            np.testing.assert_allclose(after[name], column, rtol=1e-9)
        else:
            assert after[name].tolist() == column.tolist()


@pytest.mark.slow(4)
@pytest.mark.skipif(not Embedding.is_there(), reason="the package with sentence embeddings is not installed")
def test_embeddings_know_words_that_were_never_seen(tmp_path: Path) -> None:
    values = np.empty(40, object)
    values[:] = ["the dog barks at the cat", "the bank lends money"] * 20
    batch = Batch(Schema("text", ("text",), shape=()), values, meta={"about": np.array(["animal", "money"] * 20)})
    model = fit(InMemory(batch), FitSettings("text", {"embedding": "yes"}, labels="about"))
    model.save(tmp_path / "M")
    other = np.empty(2, object)
    other[:] = ["ein Hund und eine Katze", "Geld und Kredit"]
    found = answers(Fitted.load(tmp_path / "M"), Batch(batch.schema, other))
    assert found["p_about_animal"][0] > found["p_about_animal"][1]


def test_one_answer_only_is_refused() -> None:
    batch = some(40, 1)
    batch.meta["field"][:] = "rf"  # type: ignore[index]
    with pytest.raises(SettingsError, match="all are 'rf'"):
        fit(InMemory(batch), FitSettings("text", {"embedding": "no"}, labels="field"))


def test_the_opening_of_long_texts_is_read_by_itself(tmp_path: Path) -> None:
    batch, rng = some(240, 9), np.random.default_rng(0)
    fields = rng.choice(list(FIELDS), 240)
    values = np.empty(240, object)
    for k, text in enumerate(batch.values):  # a title, and then much about all fields
        rest = rng.permutation([word for own in FIELDS.values() for word in [*own, *own]])
        values[k] = " ".join([*rng.choice(FIELDS[fields[k]], 12), *rest, text])
    texts = Batch(batch.schema, values, meta={"field": fields})
    fitted = fit(InMemory(texts[:160]), FitSettings("text", {"embedding": "no", "folds": 2}, labels="field"))
    assert "opening" in fitted.scorer.mixtures_["field"].names  # type: ignore[attr-defined]
    found = fitted.scorer.further(texts[160:])["field"]  # type: ignore[attr-defined]
    assert (found == fields[160:]).mean() > 0.85
    fitted.save(tmp_path / "M")
    again = Fitted.load(tmp_path / "M").scorer
    np.testing.assert_allclose(again.score(texts[160:]), fitted.scorer.score(texts[160:]), atol=1e-6)
    assert again.words(texts[160:162], fitted.scorer.outputs[0])  # type: ignore[attr-defined]
