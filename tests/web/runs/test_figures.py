"""Figures of runs: what is drawn where, in words too, and nothing of a name is markup; two runs compared."""

from __future__ import annotations

import base64
import io
import math
import re
from collections.abc import Callable
from dataclasses import replace
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image
from scipy import stats

from lynkeus.core import Finding, Plot, PlotRecord, RunRecord
from lynkeus.web.runs.axes import Axis, short
from lynkeus.web.runs.compare import compare_plots
from lynkeus.web.runs.figures import figure, said_of
from lynkeus.web.runs.words import (
    grouped,
    happened,
    how_rare_run,
    in_short,
    outlined,
    p_value,
    plot_address,
    run_address,
)

FLAT = Plot("flat", ("x",), (tuple(float(k) for k in range(11)),), "S1")
SQUARE = Plot("square", ("x", "y"), ((0.0, 1.0, 2.0, 3.0), (0.0, 1.0, 2.0)), "S2")


def record_of(plot: Plot, counts: np.ndarray, expected: np.ndarray | None = None, **more: object) -> PlotRecord:
    expected = np.full(plot.bins, 100.0) if expected is None else expected
    with np.errstate(invalid="ignore"):  # of infinities
        pulls = (counts - expected) / 10.0
    return PlotRecord(plot, counts, expected, expected - 10, expected + 10, pulls, 6.0, True, **more)  # type: ignore[arg-type]


def parsed(record: PlotRecord) -> ElementTree.Element:
    return ElementTree.fromstring(str(figure(record)))


def one(root: ElementTree.Element, kind: str) -> str:
    (found,) = [path.get("d", "") for path in root.iter("path") if path.get("class") == kind]
    return found


def test_counts_band_and_strong_pulls_are_drawn_where_they_are() -> None:
    counts = np.full(12, 100.0)
    counts[0] = counts[-1] = 0.0
    counts[5] = 160.0  # the bin from 4 to 5
    root = parsed(record_of(FLAT, counts, np.where(counts > 0, 100.0, 0.0)))
    heights = [int(v) for v in re.findall(r"V(\d+)", one(root, "counts"))]
    assert len(heights) == 10  # empty underflow and overflow have no room
    assert heights.index(min(heights)) == 4
    strong = re.findall(r"M(\d+) \d+V(\d+)H(\d+)", one(root, "pull strong"))
    axis = Axis(FLAT.edges[0], False, 62, 632)
    assert [(int(a), int(b)) for a, _, b in strong] == [(round(float(axis.place(4))), round(float(axis.place(5))))]
    assert one(root, "band").endswith("z")
    assert not [path for path in root.iter("path") if path.get("class") == "flow"]


def test_underflow_and_overflow_have_room_where_they_are_filled() -> None:
    counts = np.full(12, 100.0)
    root = parsed(record_of(FLAT, counts))
    assert len(re.findall("V", one(root, "counts"))) == 12
    assert len([path for path in root.iter("path") if path.get("class") == "flow"]) == 2


def test_the_changed_population_is_outlined() -> None:
    inside = parsed(record_of(FLAT, np.full(12, 100.0), region={"x": (2.0, 4.0)}))
    (outline,) = inside.iter("rect")
    axis = Axis(FLAT.edges[0], False, 62, 632, (True, True))
    assert float(outline.get("x", "")) == pytest.approx(axis.place(2.0), abs=1)
    assert float(outline.get("width", "")) == pytest.approx(axis.place(4.0) - axis.place(2.0), abs=1)
    assert not list(parsed(record_of(FLAT, np.full(12, 100.0), region={"another": (2.0, 4.0)})).iter("rect"))
    open_end = parsed(record_of(FLAT, np.full(12, 100.0), region={"x": (8.0, math.inf)}))
    assert len(list(open_end.iter("rect"))) == 1


def test_a_map_has_its_bins_upright_and_both_pictures() -> None:
    counts = np.zeros((5, 4))
    counts[1, 2] = 50.0  # x from 0 to 1, y from 1 to 2: above on the left
    counts[4, 3] = 7.0  # outside
    root = parsed(record_of(SQUARE, counts.ravel(), np.zeros(20), region={"x": (0.0, 1.0), "y": (1.0, 2.0)}))
    pictures = [image.get("href", "") for image in root.iter("image")]
    assert len(pictures) == 2
    pixels = np.array(Image.open(io.BytesIO(base64.b64decode(pictures[0].partition(",")[2]))).convert("RGBA"))
    assert pixels.shape == (2, 3, 4)
    assert (pixels[..., 3] > 0).tolist() == [[True, False, False], [False, False, False]]
    assert len(list(root.iter("rect"))) == 2
    assert "7 outside" in "".join(root.itertext())


def test_bins_of_unequal_width_keep_their_width() -> None:
    plot = replace(SQUARE, edges=((0.0, 1.0, 9.0, 10.0), (0.0, 1.0, 2.0)))
    counts = np.zeros((5, 4))
    counts[2] = 50.0
    root = parsed(record_of(plot, counts.ravel(), np.zeros(20)))
    href = next(root.iter("image")).get("href", "")
    pixels = np.array(Image.open(io.BytesIO(base64.b64decode(href.partition(",")[2]))).convert("RGBA"))
    assert (pixels[0, :, 3] > 0).mean() == pytest.approx(0.8, abs=0.02)


@pytest.mark.parametrize("plot", [FLAT, SQUARE, replace(FLAT, edges=((0.0, 1.0, 10.0, 1e6),), log=(True,))])
@pytest.mark.parametrize("value", [np.nan, np.inf, 0.0, -5.0, 1e12])
def test_odd_numbers_are_drawn_or_left_out(plot: Plot, value: float) -> None:
    parsed(record_of(plot, np.full(plot.bins, value), np.full(plot.bins, value)))
    parsed(record_of(plot, np.full(plot.bins, value)))


def test_a_plot_with_three_axes_is_drawn_bin_by_bin() -> None:
    plot = Plot("cube", ("x", "y", "z"), ((0.0, 1.0), (0.0, 1.0), (0.0, 1.0, 2.0)))
    parsed(record_of(plot, np.arange(plot.bins, dtype=float)))


def test_names_are_no_markup() -> None:
    hostile = """<script>alert("1")</script>'&]]>"""
    plot = Plot(hostile, (hostile,), ((0.0, 1.0, 2.0),), hostile, (), hostile)
    text = str(figure(record_of(plot, np.arange(4.0) * 60)))
    assert "<script" not in text
    root = ElementTree.fromstring(text)
    assert root.get("aria-label", "").startswith(hostile)


def test_the_figure_in_words() -> None:
    counts = np.full(12, 100.0)
    counts[5] = 160.0
    assert said_of(record_of(FLAT, counts)) == "flat: 6.0 sigma, flagged; largest pull +6.0 at x 4 to 5"
    counts[0] = 0.0
    assert said_of(record_of(FLAT, counts)).endswith("largest pull -10.0 at x below 0")
    empty = replace(record_of(FLAT, counts), sigma=math.nan, flagged=False, pulls=np.full(12, np.nan))
    assert said_of(empty) == "flat: not judged"


def test_ticks_are_round_values() -> None:
    assert [text for _, text in Axis((0.0, 137.0), False, 0, 100).ticks()] == ["0", "50", "100"]
    decades = Axis((0.0, 1.0, 10.0, 1e5), True, 0, 100).ticks()
    assert [text for _, text in decades] == ["1", "10", "100", "1000", "10k", "100k"]
    assert [place for place, _ in decades] == pytest.approx([0, 20, 40, 60, 80, 100])
    assert [short(value) for value in (0.25, 9999, 12_345, 2.5e6, -3e9)] == ["0.25", "9999", "12.3k", "2.5M", "-3G"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (Finding("none", "S2"), "stable"),
        (Finding("shifted", "S2", size=1.05, unit="x"), "shifted by +5 %"),
        (Finding("shifted", "S2", size=0.98, unit="x"), "shifted by -2 %"),
        (Finding("shifted", "S2", size=3.0, unit="x"), "shifted by a factor 3"),
        (Finding("shifted", "S2", size=-12.5, unit="mm"), "shifted by -12.5 mm"),
        (Finding("shifted", "S2", size=math.nan, unit="x"), "shifted"),
        (Finding("gone", "S2", size=1.0), "gone"),
        (Finding("gone", "S2", size=0.4), "40 % missing"),
        (Finding("new", "S2", size=1234.0), "new: about 1\N{NARROW NO-BREAK SPACE}234 events"),
    ],
)
def test_changes_in_words(change: Finding, words: str) -> None:
    assert happened(change) == words


def test_rarity_in_words() -> None:
    assert how_rare_run(0.4) == "40 % of good runs look as bad"
    assert how_rare_run(0.002) == "1 good run in 500 looks as bad"
    assert how_rare_run(2.5e-220) == "fewer than 1 good run in a million looks as bad"
    assert (p_value(2.5e-220), p_value(0.002), p_value(math.nan)) == ("< 0.000001", "0.002", "\N{EN DASH}")
    assert "not known" in how_rare_run(math.nan)
    assert outlined({"x": (1.0, 2.0), "y": (3.0, math.inf), "z": (-math.inf, 4.0)}) == "x 1 to 2, y above 3, z below 4"


def test_every_name_has_an_address() -> None:
    assert run_address("a/../b <c> 100 %", "m") == "/runs/a%2F..%2Fb%20%3Cc%3E%20100%20%25?model=m"
    for name in (".", "..", "compare", "plot"):
        assert run_address(name, "m").startswith("/runs/named?run=")
    assert plot_address("S2 area [SS]", "m") == "/runs/plot?name=S2+area+%5BSS%5D&model=m"


def test_groups_and_subplots_keep_their_order(run_records: Callable[..., list[RunRecord]]) -> None:
    groups = grouped(run_records(4)[3].plots)
    assert [group.title for group in groups] == ["S1", "S2", "SPE", "MPE", "SE"]
    titles = [[one.plot.name for one in family.plots] for family in groups[0].families]
    assert titles == [["S1 area", "S1 area [section 1]"], ["S1 width [SS]", "S1 width [section 1]"]]
    assert [family.title for family in groups[0].families] == ["S1 area", "S1 width"]
    assert groups[1].flagged == 3
    assert in_short(run_records(4)[3]) == "S2: shifted by +30 %"


def test_two_samples_of_one_shape_agree_and_of_two_do_not() -> None:
    rng = np.random.default_rng(0)
    shape = stats.norm.pdf(np.linspace(-3, 3, 12))
    shape /= shape.sum()
    sigmas, pulls = [], []
    for _ in range(400):
        a, b = (record_of(FLAT, rng.multinomial(n, shape).astype(float)) for n in (3000, 1000))
        (both,) = compare_plots((a,), (b,))
        sigmas.append(both.sigma)
        pulls.append(both.pulls)
        assert both.expected.sum() == pytest.approx(3000)
    assert np.std(pulls) == pytest.approx(1.0, abs=0.05)
    assert stats.kstest(sigmas, "norm").pvalue > 1e-3
    moved = record_of(FLAT, rng.multinomial(1000, np.roll(shape, 1)).astype(float))
    (both,) = compare_plots((a,), (moved,))
    assert both.flagged


def test_plots_with_other_edges_or_no_events_are_not_compared() -> None:
    mine = record_of(FLAT, np.full(12, 10.0))
    other = replace(mine, plot=replace(FLAT, edges=(tuple(float(k) / 2 for k in range(11)),)))
    assert compare_plots((mine,), (other,)) == ()
    (both,) = compare_plots((mine,), (record_of(FLAT, np.zeros(12)),))
    assert math.isnan(both.sigma)
    assert not both.flagged
    parsed(both)
