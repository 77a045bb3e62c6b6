"""From a table of b-tag scale factors to corrections, with the rules of BTagCalibrationReader for what is outside.

Out of the range of pt the factor at its end holds, and up and down have twice their distance from it. |eta| outside is
an error (the reader has 0 there, newer ones 1). Beyond the range of the discriminant the formula of the nearest bin
holds. A bin contains its lower edge and not its upper one (the reader: the other way round, in pt alone). A systematic
that is not given for a flavour has the central value there, as is recommended for the reshaping.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

from lynkeus.core import SourceError
from lynkeus.core.extras import needing
from lynkeus.scale_factors.btag_csv import SHAPE, Row, Table
from lynkeus.scale_factors.correction import CENTRAL, OUTER, Node, binning, category, inputs, with_outer

RULES = (
    "A bin contains its lower edge. Outside of the range of pt the value at its end holds, up and down with twice the "
    "distance from central; |eta| outside is an error; a systematic without rows for a flavour has the central value."
)


def converted(table: Table) -> tuple[Node, list[str]]:
    """Return the document of a table, a correction per operating point and method, and what must be said of it.

    Raises SourceError with the line for a formula that cannot be parsed, or with the place that no row covers.
    """
    formulas = Formulas(table)
    notes: list[str] = []
    corrections = [_correction(table, point, method, formulas, notes) for point, method in table.kinds()]
    says = f"{table.tagger}, from {table.path.name}. {RULES}"
    return {"schema_version": 2, "description": says, "corrections": corrections}, list(dict.fromkeys(notes))


def _correction(table: Table, point: str, method: str, formulas: Formulas, notes: list[str]) -> Node:
    rows = table.of(point, method)
    folded = all(row.eta[0] >= 0 or row.eta[0] == -row.eta[1] for row in rows)
    rows_of = {(row.systematic, row.flavour): [] for row in rows}  # type: dict[tuple[str, int], list[Row]]
    for row in rows:
        rows_of[row.systematic, row.flavour].append(row)
    flavours = sorted({row.flavour for row in rows}, reverse=True)
    keys = sorted({row.systematic for row in rows}, key=lambda key: (key != CENTRAL, key))
    name = f"{table.tagger}_{method}_{point}"
    lacking = [flavour for flavour in flavours if (CENTRAL, flavour) not in rows_of]
    if lacking:
        raise SourceError(f"{table.path}: {name} has no central value for flavour {lacking[0]}; add its rows")
    content = {}
    for key in keys:
        nodes = {}
        for flavour in flavours:
            central, own = rows_of[CENTRAL, flavour], rows_of.get((key, flavour), rows_of[CENTRAL, flavour])
            nodes[flavour] = _Place(table, f"{name}, {key}, flavour {flavour}", folded, formulas, notes).eta(
                own, central
            )
        content[key] = category("flavor", nodes)
    more = ("discriminant",) if point == SHAPE else ()
    return {
        "name": name,
        "description": f"{table.tagger}, method {method}, working point {point}. {RULES}",
        "version": 1,
        "inputs": inputs("systematic", "flavor", "abseta" if folded else "eta", "pt", *more),
        "output": {"name": "weight", "type": "real", "description": "scale factor"},
        "data": category("systematic", content),
    }


class _Place:
    """Nodes of one systematic of one flavour: bins of eta, of pt, of the discriminant, then a formula."""

    def __init__(self, table: Table, words: str, folded: bool, formulas: Formulas, notes: list[str]) -> None:
        self.table, self.words, self.folded, self.formulas, self.notes = table, words, folded, formulas, notes

    def eta(self, rows: Sequence[Row], central: Sequence[Row]) -> Node:
        """Return bins of eta, folded to its absolute value where all rows are symmetric."""
        spans = [_spans(row, self.folded) for row in rows]
        edges = sorted({edge for of_row in spans for span in of_row for edge in span})
        nodes = []
        for low, high in pairwise(edges):
            here = [row for row, of_row in zip(rows, spans, strict=True) if any(a <= low < b for a, b in of_row)]
            there = [row for row in central if any(a <= low < b for a, b in _spans(row, self.folded))]
            if not here or not there:
                raise self._hole("eta", low, high)
            nodes.append(self.pt(here, there))
        return binning("abseta" if self.folded else "eta", edges, nodes, "error")

    def pt(self, rows: Sequence[Row], central: Sequence[Row]) -> Node:
        """Return bins of pt, with those outside of the range."""
        edges = sorted({edge for row in rows for edge in row.pt})
        nodes = []
        for low, high in pairwise(edges):
            here = [row for row in rows if row.pt[0] <= low < row.pt[1]]
            if not here:
                raise self._hole("pt", low, high)
            nodes.append(self.discriminant(here, lambda row: self.formulas.node(row)))
        ends = (edges[0], 0), (edges[-1], -1)
        outer = [self._outer(rows, central, edge, number) for edge, number in ends]
        return with_outer(edges, nodes, *outer)

    def _outer(self, rows: Sequence[Row], central: Sequence[Row], edge: float, end: int) -> Any:
        """What holds beyond an end of the range of pt."""
        at_end = [[row for row in some if edge == row.pt[end]] for some in (rows, central)]
        here, there = at_end[0], at_end[1] or [row for row in central if row.pt[0] <= edge <= row.pt[1]]
        if not there:
            raise self._hole("pt of the central value", edge, edge)
        if here[0].point != SHAPE:
            own, middle = (self.formulas.at(some[0], edge) for some in (here, there))
            return middle + OUTER * (own - middle)

        def doubled(row: Row) -> Any:
            base = next((c for c in there if c.discriminant[0] <= row.discriminant[0] < c.discriminant[1]), there[-1])
            if base.formula == row.formula:
                return self.formulas.node(row)
            return self.formulas.text(f"({base.formula})+{OUTER:g}*(({row.formula})-({base.formula}))", row)

        return self.discriminant(_cut(here, there), doubled)

    def discriminant(self, rows: Sequence[Row], node: Callable[[Row], Any]) -> Any:
        """Return bins of the discriminant; of a working point the formula in pt itself."""
        if rows[0].point != SHAPE:
            if len(rows) > 1:
                self.notes.append(
                    f"{self.words}: line {rows[1].line} covers what line {rows[0].line} does, which counts"
                )
            return node(rows[0])
        edges = sorted({edge for row in rows for edge in row.discriminant})
        if len(edges) == 1:
            raise self._hole("discriminant", edges[0], edges[0])
        nodes = []
        for low, high in pairwise(edges):
            here = [row for row in rows if row.discriminant[0] <= low < row.discriminant[1]]
            if not here:
                raise self._hole("discriminant", low, high)
            nodes.append(node(here[0]))
        return binning("discriminant", edges, nodes, "clamp")

    def _hole(self, name: str, low: float, high: float) -> SourceError:
        return SourceError(
            f"{self.table.path}: {self.words}: no row covers {name} {low:g} to {high:g}; add one, or end the range "
            "there"
        )


def _spans(row: Row, folded: bool) -> list[tuple[float, float]]:
    """Return the ranges of eta that a row covers; where eta is signed, one of positive eta stands for both sides."""
    low, high = row.eta
    if folded:
        return [(max(low, 0.0), high)]
    return [(-high, -low), (low, high)] if low >= 0 else [(low, high)]


def _cut(rows: Sequence[Row], central: Sequence[Row]) -> list[Row]:
    """Cut rows at the edges of the discriminant that the central ones have, so that each has one central formula."""
    edges = sorted({edge for row in (*rows, *central) for edge in row.discriminant})
    return [
        replace(row, discriminant=(low, high))
        for row in rows
        for low, high in pairwise(edges)
        if row.discriminant[0] <= low < row.discriminant[1]
    ]


class Formulas:
    """Formulas of a table, each parsed once by correctionlib."""

    def __init__(self, table: Table) -> None:
        with needing("a table of scale factors", "hep"):
            import correctionlib
        self._read = correctionlib.CorrectionSet.from_string
        self.path = table.path
        self._known: dict[str, Any] = {}

    def node(self, row: Row) -> Any:
        """Return the number, or the node of the formula of a row."""
        return self.text(row.formula, row)

    def text(self, formula: str, row: Row) -> Any:
        """Return the node of a formula; errors name the line of the row."""
        try:
            return float(formula)
        except ValueError:
            self._parsed(formula, row)
            return _formula(formula, "discriminant" if row.point == SHAPE else "pt")

    def at(self, row: Row, x: float) -> float:
        """Return the value of the formula of a row."""
        return float(self._parsed(row.formula, row).evaluate(float(x)))

    def _parsed(self, formula: str, row: Row) -> Any:
        if formula not in self._known:
            one = {
                "name": "f", "version": 1, "inputs": [{"name": "x", "type": "real"}],
                "output": {"name": "y", "type": "real"}, "data": _formula(formula, "x"),
            }  # fmt: skip
            try:
                self._known[formula] = self._read(json.dumps({"schema_version": 2, "corrections": [one]}))["f"]
            except RuntimeError as error:
                says = " ".join(str(error).split())
                raise SourceError(
                    f"{self.path}: line {row.line}: the formula {formula!r} cannot be parsed ({says}); write it in x "
                    "with + - * / ^, log, exp, sqrt, pow, min, max"
                ) from error
        return self._known[formula]


def _formula(expression: str, variable: str) -> Node:
    return {"nodetype": "formula", "expression": expression, "parser": "TFormula", "variables": [variable]}
