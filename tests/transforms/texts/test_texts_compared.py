"""Texts compared: the same terms as a slower way finds, names of devices, and which entries are about one event."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import vstack

from lynkeus.core import concatenate
from lynkeus.simulate.logbook.source import Logbook
from lynkeus.transforms.texts.hashed import counted, parts
from lynkeus.transforms.texts.names import names_in
from lynkeus.transforms.texts.past import HOUR_NS, Past
from lynkeus.transforms.texts.terms import Terms, words_in

TEXTS = ["Klystron 3 tripped, the the RF x\nfoo  bar", "", "żółć a b_c łąka \U0001f600", "a" * 5000, " a "]


@pytest.mark.parametrize("kind", ["words", "letters"])
def test_terms_are_those_of_the_usual_way(kind: str) -> None:
    fast, slow = counted(kind, TEXTS), counted(kind, TEXTS, "murmur")
    for k in range(len(TEXTS)):
        assert sorted(fast.often[fast.row == k]) == sorted(slow.often[slow.row == k])
    parts = [counted(kind, [text]).column for text in TEXTS]
    np.testing.assert_array_equal(np.concatenate(parts), fast.column)  # whatever stands beside it
    assert counted(kind, []).n == 0
    assert counted(kind, ["half a character: \ud800"]).n == 1


def test_texts_in_parts_give_the_rows_of_all(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = [*TEXTS, "é " * 9000, "one\ttwo\u2003three", *(f"klystron {k} tripped" for k in range(60))]
    for kind in ("words", "letters"):
        terms, rows = Terms.of(kind, texts[:40])
        whole = terms.rows(texts)
        monkeypatch.setattr("lynkeus.transforms.texts.hashed.TOGETHER", 100)
        own = list(parts(texts))
        assert len(own) > 10
        np.testing.assert_allclose(vstack([terms.rows_of(part) for part in own]).toarray(), whole.toarray(), atol=1e-6)
        np.testing.assert_allclose(rows.toarray(), whole[:40].toarray(), atol=1e-6)


def test_rows_have_length_one_and_words_their_columns() -> None:
    terms, rows = Terms.of("words", TEXTS)
    np.testing.assert_allclose(np.asarray((rows**2).sum(axis=1)).ravel(), [1, 0, 1, 1, 0], atol=1e-6)
    assert {column for _, column in words_in(TEXTS[0])} <= set(terms.columns.tolist())
    assert [word for word, _ in words_in(TEXTS[0])] == ["klystron", "tripped", "the", "rf", "foo", "bar"]
    half = terms.rows(["klystron zzzz"], whole=True)
    assert 0.1 < (half**2).sum() < 0.9  # what is not known counts as well


def test_a_device_is_one_however_it_is_written() -> None:
    for text in ("KLY.03 trips", "kly-3 trips", "Klystron 3 trips", "the Kly03"):
        assert names_in(text) == ("KLY3",)
    assert names_in("BPME.2241.SA1/x") == ("BPM2241", "SA1")
    assert names_in("pressure rises to 1e-7 mbar, back after 5 min") == ()


def test_first_reports_are_found() -> None:
    batch = concatenate(list(Logbook(900, seed=5, unnamed=0.2)))
    found = Past(list(batch.values), batch.time_ns).threads()
    truth = batch.meta["first_report"] == 1
    assert (found.first & truth).sum() > 0.9 * found.first.sum()
    assert (found.first & truth).sum() > 0.8 * truth.sum()
    linked = np.flatnonzero(found.link >= 0)
    assert (batch.meta["event"][linked] == batch.meta["event"][found.link[linked]]).mean() > 0.8


def test_what_repeats_elsewhere_goes_on_from_nothing() -> None:
    texts = ["handover, all quiet"] * 120
    texts[30:32] = ["the gate in hall four is open", "the gate in hall four is open, closed by hand"]
    past = Past(texts, np.arange(120) * 8 * HOUR_NS)
    found = past.threads()
    assert found.link[31] == 30
    assert found.first[30]
    assert found.first[:30].sum() + found.first[32:].sum() == 0
    assert [k for k, _ in past.nearest("who opened the gate in hall four", 2)] == [30, 31]
    assert past.nearest("gate in hall four", 2, before_ns=31 * 8 * HOUR_NS)[0][0] == 30
    assert Past(texts).threads().first.sum() == 0  # without times and names nothing is known to be first
