"""Measurements: factors and their sources in every bin, what is joined, left out or refused, and what is written."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lynkeus.core import SettingsError, SourceError
from lynkeus.scale_factors.closure import true_factors
from lynkeus.scale_factors.correction import correction_set, write_corrections
from lynkeus.scale_factors.flavours import flavour_numbers
from lynkeus.scale_factors.jets import Bins
from lynkeus.scale_factors.measure import measure
from lynkeus.scale_factors.measurement import Measurement
from lynkeus.scale_factors.report import write_report

pytest.importorskip("iminuit")
correctionlib = pytest.importorskip("correctionlib")

FACTORS = (0.9, 1.15, 1.3)


@pytest.fixture(scope="module")
def found(jets: Callable[..., Any], question: Callable[..., Any]) -> Measurement:
    """Two bins of pt, one other simulation whose masses are a little larger."""
    simulated, data = jets(20_000, 2), jets(40_000, 1, FACTORS, "data", labelled=False)
    return measure(question(), simulated, data, {"tune": [jets(20_000, 3, name="tune", heavier=0.05)]})


def test_factors_are_those_of_the_data_within_their_errors(found: Measurement) -> None:
    assert not found.problems()
    for cell in found.distinct():
        assert abs(cell.fit.factor[0] - 0.9) < 4 * cell.total(True)[0]
        assert cell.total(True)[0] > 0 > cell.total(False)[0]
        assert cell.efficiency[0] == pytest.approx(np.exp(-0.35), abs=0.03)
    assert found.sources == ("statistics", "templates", "tune", "extrapolation")
    assert len(found.distinct()) == 2


def test_true_factors_are_those_that_were_drawn(jets: Callable[..., Any], question: Callable[..., Any]) -> None:
    truth, error = true_factors(question(), jets(60_000, 2), jets(60_000, 1, FACTORS))["medium"]
    assert truth.shape == (2, 3)
    assert (np.abs(truth - FACTORS) < 4 * error).all()
    alone = jets(100, 2)
    nothing, _ = true_factors(question(), alone[alone.flavour > 0], alone)["medium"]
    assert np.isnan(nothing[:, 0]).all()


def test_sources_add_in_quadrature(found: Measurement) -> None:
    cell = found.distinct()[0]
    up = [max(shift[0].max(), 0.0) for shift in cell.shifts.values()]
    assert cell.total(True)[0] == pytest.approx(np.hypot.reduce(up))
    statistics, limited = (cell.shifts[name][0] for name in ("statistics", "templates"))
    assert np.hypot(statistics[1], limited[1]) == pytest.approx(cell.fit.high - cell.fit.factor[0])


def test_another_simulation_moves_the_factor_by_what_the_data_would(
    jets: Callable[..., Any], question: Callable[..., Any]
) -> None:
    """A simulation whose efficiency differs, and nothing else, measures the same data: no shift beyond statistics."""
    ask = question("pt=30:200,eta=0:2.4")
    other = jets(60_000, 4, (0.8, 1.0, 1.0), "other")
    cell = measure(ask, jets(60_000, 2), jets(40_000, 1), {"other": [other]}).distinct()[0]
    assert abs(cell.shifts["other"][0, 1]) < 3 * np.hypot(*[abs(cell.shifts["templates"][0, 1])] * 2)


def test_up_and_down_keep_their_directions(jets: Callable[..., Any], question: Callable[..., Any]) -> None:
    ask = question("pt=30:200,eta=0:2.4")
    pair = [jets(30_000, 4, heavier=heavier) for heavier in (0.3, -0.3)]
    cell = measure(ask, jets(30_000, 2), jets(30_000, 1), {"mass": pair}).distinct()[0]
    down, up = cell.shifts["mass"][0]
    assert up * down < 0


def test_corrections_say_the_factors_and_double_the_error_outside(found: Measurement, tmp_path: Path) -> None:
    path = tmp_path / "sf.json"
    write_corrections(correction_set(found, flavour_numbers(found.question.classes)), path)
    corrections = correctionlib.CorrectionSet.from_file(str(path))
    assert set(corrections) == {"b_medium", "b_medium_efficiency"}
    factor, first = corrections["b_medium"], found.cells["medium"][0]
    middle, up = first.fit.factor[0], first.total(True)[0]
    inside = [factor.evaluate(key, 5, 1.0, 40.0) for key in ("central", "up", "down", "up_tune", "down_statistics")]
    shifts = [0.0, up, first.total(False)[0], first.shifts["tune"][0, 1], first.shifts["statistics"][0, 0]]
    np.testing.assert_allclose(inside, middle + np.array(shifts), rtol=1e-5)
    assert factor.evaluate("up", 5, 1.0, 10.0) == pytest.approx(middle + 2 * up, rel=1e-5)
    assert factor.evaluate("central", 5, 1.0, 10.0) == pytest.approx(middle, rel=1e-5)
    last = found.cells["medium"][1]
    assert factor.evaluate("down", 5, 1.0, 900.0) == pytest.approx(
        last.fit.factor[0] + 2 * last.total(False)[0], rel=1e-5
    )
    for flavour, k in ((4, 1), (0, 2)):
        assert factor.evaluate("central", flavour, 1.0, 69.9) == pytest.approx(first.fit.factor[k], rel=1e-5)
    assert corrections["b_medium_efficiency"].evaluate(5, 1.0, 70.0) == pytest.approx(last.efficiency[0], rel=1e-5)
    with pytest.raises(RuntimeError, match="above bounds"):
        factor.evaluate("central", 5, 2.5, 40.0)


def test_the_report_has_every_fit_and_source(found: Measurement, tmp_path: Path) -> None:
    write_report(found, tmp_path / "r.html", "sv_mass", {"simulation": "sim", "data": "d<ata>"})
    page = (tmp_path / "r.html").read_text("utf-8")
    assert page.count("<svg") == 3  # the factors, and a fit for each bin
    for words in (
        "pt 30-70, |eta| 0-2.4",
        "tune",
        "extrapolation",
        "d&lt;ata&gt;",
        f"{found.distinct()[0].fit.factor[0]:.3f}",
    ):
        assert words in page
    with pytest.raises(SettingsError, match="ends in"):
        write_report(found, tmp_path / "r.pdf", "sv_mass", {})


def test_a_bin_that_cannot_be_fitted_is_named_or_joined(jets: Callable[..., Any], question: Callable[..., Any]) -> None:
    simulated, data = jets(8000, 2), jets(4000, 1, FACTORS, "data")
    bins = "pt=30:100:400:500,eta=0:2.4"
    alone = measure(question(bins), simulated, data)
    assert [line.partition(": ")[0] for line in alone.problems()] == ["medium, pt 400-500, |eta| 0-2.4"]
    with pytest.raises(SettingsError, match=r"medium, pt 400-500, .* merge"):
        correction_set(alone, {"b": 5, "c": 4, "light": 0})
    joined = measure(question(bins, merge=True), simulated, data)
    assert not joined.problems()
    assert [cell.members for cell in joined.distinct()] == [(0,), (1, 2)]
    assert joined.cells["medium"][1] is joined.cells["medium"][2]


def test_templates_that_do_not_describe_the_data_are_said(
    jets: Callable[..., Any], question: Callable[..., Any]
) -> None:
    wrong = jets(30_000, 1, heavier=1.0)
    found = measure(question("pt=30:200,eta=0:2.4"), jets(30_000, 2), wrong)
    assert any("do not describe the data" in note for note in found.notes)


def test_jets_that_are_left_out_are_said(jets: Callable[..., Any], question: Callable[..., Any]) -> None:
    simulated = jets(20_000, 2)
    first = np.arange(len(simulated)) < 100
    some = replace(
        simulated, flavour=np.where(first, -1, simulated.flavour), score=np.where(first[::-1], np.nan, simulated.score)
    )
    found = measure(question("pt=30:200,eta=0:1.2"), some, jets(20_000, 1, name="data"))
    assert {f"sim: 100 jets without a {what} are left out" for what in ("flavour", "score")} <= set(found.notes)
    assert any(note.startswith("data: ") and "outside of all bins" in note for note in found.notes)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"flavour": -1}, "sim: no jet has a flavour"),
        ({"flavour": 2}, "sim: there is no b jet"),
        ({"pt": 5.0}, "sim: none of 500 jets is in the bins"),
    ],
)
def test_simulation_of_which_no_template_can_be_made_is_refused(
    jets: Callable[..., Any], question: Callable[..., Any], change: dict[str, float], says: str
) -> None:
    simulated = jets(500, 2)
    columns = {name: np.full(500, value, getattr(simulated, name).dtype) for name, value in change.items()}
    with pytest.raises(SourceError, match=says):
        measure(question(), replace(simulated, **columns), jets(500, 1))


def test_data_without_a_score_are_refused(jets: Callable[..., Any], question: Callable[..., Any]) -> None:
    data = jets(500, 1, name="data")
    with pytest.raises(SourceError, match="data: 500 jets have no score"):
        measure(question(), jets(500, 2), replace(data, score=np.full(500, np.nan)))


def test_a_variable_that_is_the_same_for_all_jets_says_nothing(
    jets: Callable[..., Any], question: Callable[..., Any]
) -> None:
    same = [replace(one, template=np.full(3000, 2.0)) for one in (jets(3000, 2), jets(3000, 1))]
    found = measure(question("pt=30:200,eta=0:2.4"), *same)
    assert "fill one bin of the template" in found.problems()[0]


@pytest.mark.parametrize("text", ["pt=30:20,eta=0:2", "pt=30:50", "pt=a:b,eta=0:1", "pt=30:50,eta=-1:1", "30:50"])
def test_edges_that_are_none_are_refused(text: str) -> None:
    with pytest.raises(SettingsError, match="--bins"):
        Bins.parse(text)


def test_a_bin_holds_its_lower_edge() -> None:
    bins = Bins.parse("pt=30:50:100, eta=0:1.2:2.4")
    assert bins.of([30, 49.9, 50, 100, 40, np.nan], [0, -1.1, -1.2, 0, 2.4, 0]).tolist() == [0, 0, 3, -1, -1, -1]
    assert bins.words(3) == "pt 50-100, |eta| 1.2-2.4"


def test_numbers_of_flavours() -> None:
    assert flavour_numbers(["b", "c", "light"]) == {"b": 5, "c": 4, "light": 0}
    assert flavour_numbers(["top", "qcd"], "top=7") == {"top": 7, "qcd": 0}
    for classes, given, says in (
        (["b", "odd"], "", "'odd' has no number"), (["qcd", "light"], "", "have the same number 0"),
        (["b"], "x=1", "no class 'x'"), (["b"], "b=five", "is not CLASS=NUMBER"),
    ):  # fmt: skip
        with pytest.raises(SettingsError, match=says):
            flavour_numbers(classes, given)
