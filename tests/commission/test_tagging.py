"""Commissioning of taggers: numbers that can be checked by hand, a cut that leaves masses alone, the report."""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from tests.jets import NAMES, PARTS, jets

from lynkeus.commission.explained.explain import explain_model
from lynkeus.commission.explained.write import write_explained
from lynkeus.commission.tagging import hearing
from lynkeus.commission.tagging.commission import TaggingSettings, asked, commission_taggers
from lynkeus.commission.tagging.mass import sculpting
from lynkeus.commission.tagging.measure import pairs
from lynkeus.commission.tagging.report import write_tagging
from lynkeus.core import Group, Packed, SettingsError
from lynkeus.files.shared import Sharing
from lynkeus.files.workers import Work
from lynkeus.fitting.fit import FitSettings, fit
from lynkeus.fitting.fitted import Fitted
from lynkeus.metrics.tagging import roc
from lynkeus.sources import InMemory
from lynkeus.transforms.jets.changes import changes
from lynkeus.transforms.jets.vary import fewer_tracks, worse_impact


@pytest.fixture(scope="module")
def by_mass() -> Fitted:
    return fit(InMemory(jets(1500, 1), 256), FitSettings("jet_mass"))


def test_the_report_has_the_numbers_of_the_jets_and_says_what_they_are(by_mass: Fitted, tmp_path: Path) -> None:
    batch = jets(1200, 2)
    batch = replace(batch, meta={**batch.meta, "npv": np.arange(1200) % 60})
    other = fit(InMemory(jets(600, 3), 256), FitSettings("jet_mass", {"mass": "mass"}))
    source = InMemory(batch, 500)
    found = commission_taggers({"jet_mass": by_mass, "plain": other}, source, None, {"again": InMemory(jets(600, 4))})
    scores = by_mass.scorer.score(batch)[:, 1]
    expected = roc(batch.truth == 1, scores)
    rows = {(row.model, row.detector, row.variable, row.quantity, row.signal_efficiency): row for row in found.rows}
    own = rows["jet_mass", "as they are", "all", "rejection", 0.5]
    assert own.value == pytest.approx(expected.rejection(0.5))
    assert own.low <= own.value <= own.high
    assert (own.signal, own.background) == ("top", "qcd")
    assert {row.variable for row in found.rows} == {"all", "pt", "eta", "pile-up"}
    assert {row.detector for row in found.rows if row.model == "jet_mass"} == {
        "as they are", "10 % fewer tracks", "impact parameters 1.2 times worse", "jets of again",
    }  # fmt: skip
    loose = next(point for point in found.points if point.output == "top" and point.stated == 0.1)
    spread = np.sqrt(0.1 * 0.9 / 150)  # of the jets that the threshold was counted on
    assert loose.low - 3 * spread <= 0.1 <= loose.high + 3 * spread
    assert found.confusion["jet_mass"].sum(axis=1) == pytest.approx([1, 1])
    write_tagging(found, tmp_path / "r.html")
    page = (tmp_path / "r.html").read_text()
    assert "mathdefault" not in page  # names and numbers are shown as they are
    for words in ("At a glance", "Working points", "pile-up", "fewer tracks", "Masses of the background", "<svg"):
        assert words in page
    assert pq.read_table(tmp_path / "r.parquet").num_rows == len(found.rows)


@contextmanager
def elsewhere(work: Work, _: int) -> Iterator[Callable[[Any], Future]]:
    """One that begins anew, as another process does."""
    with ThreadPoolExecutor(1) as pool:
        does = work.begin(*work.given)
        yield lambda share: pool.submit(does, share)


def test_who_scores_and_where_a_kill_came_make_no_difference(
    by_mass: Fitted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hearing, "STRETCH", 100)
    models, source, settings = {"m": by_mass}, InMemory(jets(400, 2), 64), TaggingSettings(vary=False)
    whole = commission_taggers(models, source, settings)

    def again() -> hearing.Asked:
        return asked(models, source, settings)

    def killed(what: str, share: float) -> None:
        if share > 0.4:
            raise KeyboardInterrupt

    ledger = tmp_path / "r.html"
    with pytest.raises(KeyboardInterrupt):
        commission_taggers(models, source, settings, None, killed, Sharing(again, 1, elsewhere, ledger))
    by = Sharing(again, 1, elsewhere, ledger)
    found = commission_taggers(models, source, settings, None, None, by)
    assert 0 < by.before < by.count == 4
    np.testing.assert_allclose(found.jets["m"].probability, whole.jets["m"].probability, atol=1e-12)
    np.testing.assert_allclose(found.jets["m"].p_value, whole.jets["m"].p_value, atol=1e-12)
    np.testing.assert_array_equal(found.jets["m"].truth, whole.jets["m"].truth)
    assert found.accuracy == pytest.approx(whole.accuracy)


def test_jets_without_particles_are_said_and_pass_no_cut(by_mass: Fitted) -> None:
    batch = jets(400, 5, lengths=[0] * 10 + [25] * 390)
    found = commission_taggers({"m": by_mass}, InMemory(batch), TaggingSettings(vary=False))
    assert any("10 jets without particles have no score" in line for line in found.messages)
    assert found.accuracy["m"] < 1


def test_what_cannot_be_compared_is_refused(by_mass: Fitted) -> None:
    batch = jets(300, 6)
    renamed = replace(batch, schema=replace(batch.schema, classes=("light", "b")))
    other = fit(InMemory(replace(jets(600, 7), schema=renamed.schema)), FitSettings("jet_mass"))
    with pytest.raises(SettingsError, match="they cannot be compared"):
        commission_taggers({"one": by_mass, "other": other}, InMemory(batch))
    with pytest.raises(SettingsError, match="at least 20 jets of two classes"):
        commission_taggers({"one": by_mass}, InMemory(batch[batch.truth == 1]))


def test_a_threshold_by_mass_and_pt_leaves_the_masses_alone() -> None:
    rng = np.random.default_rng(0)
    n = 60_000
    hit = np.arange(n) % 2 == 0
    mass = np.where(hit, rng.normal(170, 15, n), rng.exponential(80, n))
    bump = np.exp(-0.5 * ((mass - 170) / 30) ** 2)
    score = 1 / (1 + np.exp(-(rng.normal(0, 1, n) + 1.0 * hit + 2 * bump)))
    found = sculpting(hit, score, mass, rng.uniform(500, 600, n), None)
    assert found is not None
    one, flat = found.divergence
    assert one > 0.2
    assert flat < one / 4
    assert flat < 2 * found.chance[1] + 0.02
    assert found.background[1] == pytest.approx(found.background[0], rel=0.35)
    assert found.before.sum() == pytest.approx(1.0)


def test_each_class_is_told_from_each_other_but_background_is_no_signal() -> None:
    truth = np.repeat([0, 1, 2], 30)
    assert pairs(("qcd", "top", "w"), truth) == [(1, 0), (1, 2), (2, 0), (2, 1)]
    assert pairs(("b", "c", "light"), truth[:60]) == [(0, 1), (1, 0)]


def test_a_worse_detector_loses_tracks_and_knows_impact_parameters_less_well() -> None:
    batch = jets(300, 8)
    group = batch.packed.groups["particles"]
    charge, d0, error = (group.values[:, PARTS.index(name)] for name in ("charge", "d0val", "d0err"))
    fewer = fewer_tracks(batch.packed, NAMES, np.random.default_rng(1)).groups["particles"]
    kept = fewer.values[:, PARTS.index("charge")]
    assert (kept == 0).sum() == (charge == 0).sum()
    lost = 1 - (kept != 0).sum() / (charge != 0).sum()
    assert abs(lost - 0.1) < 4 * np.sqrt(0.09 / (charge != 0).sum())
    worse = worse_impact(batch.packed, NAMES, np.random.default_rng(1)).groups["particles"].values
    prompt = (charge != 0) & (np.abs(d0) < 3 * error)
    ratio = worse[prompt, PARTS.index("d0val")].std() / d0[prompt].std()
    assert 1.1 < ratio < 1.3
    inputs = Packed({f"pf_{name}": Group(group.values[:, :2], group.offsets) for name in ("points", "vectors")})
    both = fewer_tracks(
        inputs, ("pf_points/a", "pf_points/b", "pf_vectors/a", "pf_vectors/b"), np.random.default_rng(2)
    )
    np.testing.assert_array_equal(both.groups["pf_points"].offsets, both.groups["pf_vectors"].offsets)


def test_what_a_cut_on_the_mass_looks_at_are_momenta_and_nothing_else(by_mass: Fitted, tmp_path: Path) -> None:
    found = explain_model(by_mass, InMemory(jets(300, 6), 128))
    own = {row["input"]: row for row in found.rows if row["output"] == "top" and row["process"] == "all"}
    assert own["momenta shuffled"]["relevance"] > 0.2
    assert own["without charged hadrons"]["relevance"] > 0.2
    for name in ("part_charge", "part_d0val", "part_isPhoton", "part_deta"):
        assert own[f"{name} shuffled"]["relevance"] == pytest.approx(0.0, abs=1e-9)
    of_tops = next(row for row in found.rows if (row["output"], row["process"], row["input"]) == (
        "top", "top", "without charged hadrons"))  # fmt: skip
    assert of_tops["mean"] > 0  # without most of its particles a top is light
    assert 100 < of_tops["events"] < 200
    write_explained(found, tmp_path / "e.html")
    page = (tmp_path / "e.html").read_text()
    assert all(words in page for words in ("Mean in top", "momenta shuffled", "<svg"))


def test_changes_take_away_what_they_say() -> None:
    batch = jets(40, 7)
    own = batch.packed.groups["particles"]
    for what, packed in changes(batch.packed, NAMES, 0):
        group = packed.groups["particles"]
        column = {name: group.values[:, k] for k, name in enumerate(PARTS)}
        if what == "without photons":
            assert not column["isPhoton"].any()
            assert (group.values == own.values[own.values[:, PARTS.index("isPhoton")] < 0.5]).all()
        elif what == "momenta shuffled":
            pt, before = np.hypot(column["px"], column["py"]), np.hypot(*own.values[:, :2].T)
            np.testing.assert_allclose(np.bincount(own.sample, pt), np.bincount(own.sample, before), rtol=1e-4)
            np.testing.assert_allclose(column["pz"] / pt, own.values[:, 2] / before, rtol=1e-3, atol=1e-4)
            assert np.abs(pt - before).max() > 1
        elif what.endswith("shuffled"):
            changed = (group.values != own.values).any(axis=0)
            assert changed.sum() <= 1
            np.testing.assert_array_equal(np.sort(group.values, axis=0), np.sort(own.values, axis=0))
    said = [what for what, _ in changes(Packed({"charged": own, "neutral": own}), _of_two_groups(), 0)]
    assert {"without charged", "without neutral", "charged/part_charge shuffled"} <= set(said)


def _of_two_groups() -> tuple[str, ...]:
    return tuple(f"{group}/part_{name}" for group in ("charged", "neutral") for name in PARTS)
