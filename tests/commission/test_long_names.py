"""Names of 60 letters leave room for what is drawn."""

import warnings

import numpy as np
import pytest
from matplotlib.figure import Figure

from lynkeus.commission.explained.explain import TAYLOR, Explained
from lynkeus.commission.explained.figures import course, overview, pairs, ranking
from lynkeus.commission.figures import shortened
from lynkeus.explain.taylor.relevance import products

NAMES = tuple(f"XFEL.DIAG/BEAM_POSITION_MONITOR/SECTION_{k:02d}.SA1.HORIZONTAL/X.{k}.RAW_MEAN" for k in range(12))


@pytest.fixture(scope="module")
def explained() -> Explained:
    rows = []
    for order in (1, 2, 3):
        for own in products(len(NAMES), order)[:40]:
            names = dict(zip(("input", "second_input", "third_input"), (NAMES[i] for i in own), strict=False))
            size = 1.0 / (1 + len(rows))
            found = {"output": "a", "process": "all", "order": order, "relevance": size, "mean_abs": size, "mean": size}
            rows.append({"input": "", "second_input": "", "third_input": ""} | names | found | {"interval": [0, size]})
    courses = {"a": np.random.default_rng(1).random((6, 90))}
    outputs = ("a", "the class of all that has a name of sixty letters or more here")
    return Explained("m", TAYLOR, 3, 100, outputs, NAMES, rows, (), courses)


def smallest(figure: Figure) -> float:
    """Draw it; return the smaller side of what is drawn within the axes, in inches."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figure.canvas.draw()
    box = figure.axes[0].get_window_extent()
    return min(box.width, box.height) / figure.dpi


def test_names_are_short_and_each_is_another() -> None:
    assert shortened(["a", "b"]) == ["a", "b"]
    found = shortened(NAMES)
    assert len(set(found)) == len(NAMES)
    assert max(map(len, found)) == 30
    assert found[3] == "XFEL.DIAG/…NTAL/X.3.RAW_MEAN"[:10] + "…" + NAMES[3][-19:]
    alike = ["A" * 20 + middle + "B" * 40 for middle in "xyx"]
    assert shortened(alike) == [f"{'A' * 10}…{'B' * 19} ({k})" for k in (1, 2, 1)]


@pytest.mark.parametrize("draw", [overview, lambda it: ranking(it, "a"), lambda it: pairs(it, "a"),
                                  lambda it: course(it, "a")])  # fmt: skip
def test_what_is_drawn_has_room(explained: Explained, draw: object) -> None:
    figure = draw(explained)  # type: ignore[operator]
    assert smallest(figure) > 0.7
    assert max(figure.get_size_inches()) < 15
