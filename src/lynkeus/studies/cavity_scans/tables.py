"""The tables of the page: every question, with every scorer beside the others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lynkeus.metrics.rates import wilson_interval
from lynkeus.scans.aggregate import AGGREGATIONS
from lynkeus.scans.correlation import LEVEL, Correlations, Pair
from lynkeus.scans.latent import Purity
from lynkeus.studies.cavity_scans.answers import FIELD, MEAN, PLACES, TOP, WORST, Answers
from lynkeus.studies.cavity_scans.pointing import ANOTHER
from lynkeus.studies.cavity_scans.scans import MEASURED

Rows = Sequence[Sequence[str]]
Q0 = MEASURED[1]


def all_tables(
    found: Mapping[str, Answers], ceiling: Mapping[str, Pair], purities: Sequence[Purity]
) -> dict[str, Rows]:
    """Return all tables: title -> lines of cells."""
    by_field = {name: one.alike for name, one in found.items()}
    return {
        "Which image, and where in it (last scans)": _standing(found),
        "What aggregation does: rho with the field": _by_aggregation(by_field, FIELD),
        "The same, compared with good images of all vendors": _by_aggregation(
            {name: one.plain for name, one in found.items()}, FIELD
        ),
        "The same with Q0": _by_aggregation(by_field, Q0),
        "Control: a field that the surface has nothing to do with": _unrelated(found),
        "How local: rho with the field": _by_place(found, ceiling),
        "Is the quench in the list of spots?": _quenches(found),
        "Latent space: share of the 15 nearest neighbours that are alike": _latent(purities),
    }


def _standing(found: Mapping[str, Answers]) -> Rows:
    head = (
        "",
        "image AUROC",
        "AUROC of the worst spot",
        "worst spot in the defect",
        "one of 3 spots near it",
        f"near, {ANOTHER} (chance)",
    )
    keys = ("image auroc", "auroc of the worst spot", "pointing", "near", f"near {ANOTHER}")
    return [head, *((name, *(_share(one.numbers, key) for key in keys)) for name, one in found.items())]


def _share(numbers: Mapping[str, float], key: str) -> str:
    return f"{numbers[key]:.2f} ({numbers[f'{key}.low']:.2f} to {numbers[f'{key}.high']:.2f})"


def _by_aggregation(found: Mapping[str, Correlations], asked: str) -> Rows:
    rows: list[Sequence[str]] = [("", *AGGREGATIONS, "would have been seen")]
    for name, one in found.items():
        own = {pair.score: pair for pair in one.pairs if pair.property == asked}
        rows.append((name, *(_pair(own.get(key)) for key in AGGREGATIONS), f"{one.seen:.2f}"))
    return rows


def _pair(pair: Pair | None) -> str:
    """rho, its interval and p, in bold where it stays after the correction."""
    if pair is None:
        return "-"
    rho = f"**{pair.rho:.2f}**" if pair.corrected <= LEVEL else f"{pair.rho:.2f}"
    return f"{rho} ({pair.low:.2f} to {pair.high:.2f}), p {pair.corrected:.2g}"


def _unrelated(found: Mapping[str, Answers]) -> Rows:
    return [("", "answer"), *((name, one.unrelated.words()) for name, one in found.items())]


def _by_place(found: Mapping[str, Answers], ceiling: Mapping[str, Pair]) -> Rows:
    rows: list[Sequence[str]] = [("", "what of it", *PLACES)]
    for name, one in found.items():
        for what in (WORST, MEAN):
            own = one.by_place(what)
            rows.append((name, what, *(_pair(own.get(place)) for place in PLACES)))
    most = (_pair(ceiling.get(place)) for place in PLACES)
    return [*rows, ("if all were known of every defect", "lowest field that one allows", *most)]


def _quenches(found: Mapping[str, Answers]) -> Rows:
    head = (
        "", "quenches with images", "a spot there", "it is the first", f"one of the first {TOP}",
        "by chance, without order", f"one of the first {TOP}, of another cavity",
    )  # fmt: skip
    rows: list[Sequence[str]] = [head]
    for name, one in found.items():
        ranks, number = [rank.rank for rank in one.ranks], len(one.ranks)
        counts = [sum(rank == rank for rank in ranks), ranks.count(1.0), sum(rank <= TOP for rank in ranks)]
        chance = sum(rank.by_chance(TOP) for rank in one.ranks)
        another = sum(rank.rank <= TOP for rank in one.of_another), len(one.of_another)
        rows.append((name, str(number), *(_of(hits, number) for hits in counts), f"{chance:.1f}", _of(*another)))
    return rows


def _of(hits: int, trials: int) -> str:
    low, high = wilson_interval(hits, trials)
    return f"{hits} of {trials} ({low:.2f} to {high:.2f})"


def _latent(purities: Sequence[Purity]) -> Rows:
    columns = list(dict.fromkeys(one.column for one in purities if one.column != "label"))
    chance = {one.column: one.chance for one in purities}
    cells = {(one.method, one.column): _purity(one) for one in purities}
    rows = [
        (space, *(cells.get((space, column), "-") for column in columns))
        for space in dict.fromkeys(one.method for one in purities)
    ]
    return [("", *(f"{column} (by chance {chance[column]:.2f})" for column in columns)), *rows]


def _purity(one: Purity) -> str:
    return f"{one.purity:.2f}, p {one.p_value:.2g}, silhouette {one.silhouette:.2f}"
