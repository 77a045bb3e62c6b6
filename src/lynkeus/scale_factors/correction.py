"""Scale factors as JSON of correctionlib (schema 2): one correction per working point, and the simulated efficiencies.

Inputs of `<output>_<working point>`: systematic (central, up, down, up_SOURCE, down_SOURCE), flavor, abseta, pt. Of
`<output>_<working point>_efficiency`: flavor, abseta, pt. A bin contains its lower edge. Below and above the bins of pt
the nearest value holds, with twice its uncertainty (as BTagCalibrationReader of CMS does); |eta| outside is an error.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from lynkeus.core import Floats, SettingsError
from lynkeus.core.extras import needing
from lynkeus.files.whole import write_whole
from lynkeus.scale_factors.jets import Bins
from lynkeus.scale_factors.measurement import Cell, Measurement

CENTRAL, UP, DOWN = "central", "up", "down"
DIGITS = 6
OUTER = 2.0  # how much larger an uncertainty is outside of the bins of pt
Node = dict[str, Any]
RULES = (
    "A bin contains its lower edge. Outside of the bins of pt the nearest factor holds with twice its uncertainty; "
    "|eta| outside of the bins is an error."
)


def correction_set(found: Measurement, numbers: Mapping[str, int], description: str = "") -> Node:
    """Return the document: `numbers` of the flavours, by class. Raises SettingsError where a fit failed."""
    problems = found.problems()
    if problems:
        raise SettingsError(f"{problems[0]}{f' (and {len(problems) - 1} more)' if len(problems) > 1 else ''}")
    corrections = []
    for name, cells in found.cells.items():
        corrections += [_factors(found, name, cells, numbers), _efficiencies(found, name, cells, numbers)]
    return {"schema_version": 2, "description": description or _says(found), "corrections": corrections}


def write_corrections(document: Node, path: Path) -> None:
    """Write a document, after correctionlib has read it; complete, or as it was before.

    Raises SettingsError where correctionlib is missing.
    """
    write_whole(path, checked(document).encode())


def checked(document: Node) -> str:
    """Return the text of a document that correctionlib accepts, without what has no value."""
    with needing("a file of corrections", "hep"):
        import correctionlib
        import correctionlib.schemav2 as schema
    text = schema.CorrectionSet.model_validate(document).model_dump_json(exclude_unset=True, indent=1)
    correctionlib.CorrectionSet.from_string(text)
    return text


def inputs(*names: str) -> list[Node]:
    """Return the inputs of a correction by their names."""
    says = {
        "systematic": ("string", "central; up, down: all sources; up_SOURCE, down_SOURCE: one of them"),
        "flavor": ("int", "true flavour of the jet: 5 bottom, 4 charm, 0 light quarks and gluons"),
        "abseta": ("real", "absolute pseudorapidity of the jet"),
        "eta": ("real", "pseudorapidity of the jet"),
        "pt": ("real", "transverse momentum of the jet in GeV"),
        "discriminant": ("real", "value of the tagger"),
    }
    return [{"name": name, "type": says[name][0], "description": says[name][1]} for name in names]


def category(name: str, content: Mapping[Any, Any]) -> Node:
    """Return a node that chooses by a key; a key that is not there is an error."""
    return {"nodetype": "category", "input": name, "content": [{"key": k, "value": v} for k, v in content.items()]}


def binning(name: str, edges: Sequence[float | str], content: Sequence[Any], flow: str) -> Node:
    """Return a node that chooses by bins. `flow`: what is done outside, "clamp" or "error"."""
    return {"nodetype": "binning", "input": name, "edges": list(edges), "content": list(content), "flow": flow}


def with_outer(edges: Sequence[float], content: Sequence[Any], below: Any, above: Any) -> Node:
    """Return bins of pt with one more on either side, from 0 to infinity."""
    inner_only = edges[0] <= 0
    first = [] if inner_only else [below]
    return binning("pt", [*([] if inner_only else [0.0]), *edges, "inf"], [*first, *content, above], "clamp")


def systematics(sources: Sequence[str]) -> list[str]:
    """Return the keys of the input `systematic`."""
    return [CENTRAL, UP, DOWN, *(f"{way}_{source}" for source in sources for way in (UP, DOWN))]


def shifted(cell: Cell, systematic: str, times: float = 1.0) -> Floats:
    """Return (classes,) factors under a systematic, at least 0; its shift taken so many times."""
    factor = np.nan_to_num(cell.fit.factor, nan=1.0)
    if systematic == CENTRAL:
        return factor
    way, _, source = systematic.partition("_")
    none = np.zeros((len(factor), 2))  # a source that only other bins have
    shift = cell.shifts.get(source, none)[:, int(way == UP)] if source else cell.total(way == UP)
    return np.maximum(factor + times * np.nan_to_num(shift), 0.0)


def _factors(found: Measurement, name: str, cells: Sequence[Cell], numbers: Mapping[str, int]) -> Node:
    question = found.question

    def of(systematic: str, k: int) -> Node:
        return _in_bins(question.bins, cells, lambda cell, times: float(shifted(cell, systematic, times)[k]))

    data = category(
        "systematic",
        {
            systematic: category(
                "flavor", {numbers[kind]: of(systematic, k) for k, kind in enumerate(question.classes)}
            )
            for systematic in systematics(found.sources)
        },
    )
    return {
        "name": f"{question.measured}_{name}",
        "description": f"Efficiency in data over simulation at {question.measured} >= {question.thresholds[name]:g}. "
        + RULES,
        "version": 1,
        "inputs": inputs("systematic", "flavor", "abseta", "pt"),
        "output": {"name": "weight", "type": "real", "description": "scale factor"},
        "data": data,
    }


def _efficiencies(found: Measurement, name: str, cells: Sequence[Cell], numbers: Mapping[str, int]) -> Node:
    question = found.question

    def of(k: int) -> Node:
        return _in_bins(question.bins, cells, lambda cell, _: float(np.nan_to_num(cell.efficiency[k])))

    content = {numbers[kind]: of(k) for k, kind in enumerate(question.classes)}
    return {
        "name": f"{question.measured}_{name}_efficiency",
        "description": "Efficiency in the simulation of the templates; measure your own where your sample differs.",
        "version": 1,
        "inputs": inputs("flavor", "abseta", "pt"),
        "output": {"name": "efficiency", "type": "real", "description": "share of jets that pass"},
        "data": category("flavor", content),
    }


def _in_bins(bins: Bins, cells: Sequence[Cell], value: Callable[[Cell, float], float]) -> Node:
    """Return bins of |eta|, in them bins of pt with the rule for what is outside."""
    rows, per_row = [], len(bins.pt) - 1
    for row in range(len(bins.abseta) - 1):
        own = cells[row * per_row : (row + 1) * per_row]
        content = [rounded(value(cell, 1.0)) for cell in own]
        rows.append(with_outer(bins.pt, content, rounded(value(own[0], OUTER)), rounded(value(own[-1], OUTER))))
    return binning("abseta", bins.abseta, rows, "error")


def rounded(value: float) -> float:
    """Return a number of DIGITS digits, as it is written."""
    return float(f"{value:.{DIGITS}g}")


def _says(found: Measurement) -> str:
    question = found.question
    held = [name for name in question.classes if name != question.measured]
    return (
        f"Scale factors of {question.measured}, measured by template fits of jets that pass and fail. Factors of "
        f"{', '.join(held)} are by-products, held to 1 +- {question.prior:g}. Sources: {', '.join(found.sources)}. "
        f"{RULES}"
    )
