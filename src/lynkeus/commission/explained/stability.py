"""with_others: how much what a model looks at depends on chance: beside it models of the same data by other seeds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from lynkeus.core import SettingsError
from lynkeus.explain.taylor.relevance import ALL

Row = dict[str, Any]
TOP = 5  # whose places are compared


def with_others(
    rows: Sequence[Row], others: Sequence[Sequence[Row]], names: Sequence[str]
) -> tuple[list[Row], list[str]]:
    """Return the rows with `relevance_models` (one for each model), `spread` of these (standard deviation), `rank` in
    the first model and `rank_range` over all of them; and what is to be said.

    Raises SettingsError for a model that does not have the same outputs and inputs.
    """
    tables = [{_key(row): row["relevance"] for row in table} for table in (rows, *others)]
    for name, table in zip(names, tables[1:], strict=True):
        if set(table) != set(tables[0]):
            lacking = sorted(set(tables[0]) ^ set(table))[0]
            what = ", ".join(filter(None, lacking[:1] + lacking[2:]))
            raise SettingsError(f"--also {name}: is of other inputs or outputs ({what}); fit it on the same columns")
    places = [_places(table) for table in tables]
    found, moved = [], 0
    for row in rows:
        key = _key(row)
        own = [table[key] for table in tables]
        ranks = [place[key] for place in places]
        spread = float(np.std(own, ddof=1))
        found.append({**row, "relevance_models": own, "spread": spread, "rank": ranks[0],
                      "rank_range": [min(ranks), max(ranks)]})  # fmt: skip
        moved += row["process"] == ALL and ranks[0] <= TOP < max(ranks)
    first = {key for key, rank in places[0].items() if rank <= TOP and key[1] == ALL}
    said = [f"{len(first) - moved} of the {len(first)} largest coefficients are among the {TOP} largest of every model"]
    return found, said


def _key(row: Row) -> tuple[str, ...]:
    return tuple(str(row.get(name, "")) for name in ("output", "process", "input", "second_input", "third_input"))


def _places(table: dict[tuple[str, ...], float]) -> dict[tuple[str, ...], int]:
    """Return the place of each coefficient among those of its output and process, 1 for the largest."""
    groups: dict[tuple[str, str], list[tuple[str, ...]]] = {}
    for key in table:
        groups.setdefault((key[0], key[1]), []).append(key)
    found = {}
    for keys in groups.values():
        for place, key in enumerate(sorted(keys, key=lambda key: -table[key])):
            found[key] = place + 1
    return found
