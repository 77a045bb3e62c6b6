"""Reports of pads as one HTML file each: gains of two periods, and decisions by krypton beside those by collisions."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from lynkeus.core import Floats, LynkeusError
from lynkeus.files.whole import write_parquet, write_whole
from lynkeus.pads.changes import GainChanges, gain_changes
from lynkeus.pads.crosscheck import Agreement, cross_check
from lynkeus.pads.table import PadTable

SHOWN, MOVED = 24, 6.0  # pads that are drawn; standard deviations from which one has moved by itself
IDENTITY = ("sector", "row", "pad")


def write_changes(before: PadTable, after: PadTable, output: Path) -> list[str]:
    """Write what changed of the gains between two tables of pads, and return it in lines. Raises SourceError."""
    found = gain_changes(before, after)
    fitted = np.isfinite(found.ratio)
    moved = np.flatnonzero(fitted & (np.abs(found.left) > MOVED) & (np.abs(np.log(found.ratio / found.factor)) > 0.03))
    moved = moved[np.argsort(-np.abs(found.left[moved]))]
    lines = [
        f"gains of {int(fitted.sum())} pads in both periods: factor {found.factor:.5f} +- {found.factor_error:.5f}"
    ]
    if np.isfinite(found.coefficient):
        lines.append(f"d ln(gain) / d ln(T/p) = {found.coefficient:.3f} +- {found.coefficient_error:.3f}")
    else:
        lines.append("temperature and pressure are not known or did not change: no coefficient")
    lines.append(f"{len(moved)} pads moved by themselves, by more than 3 % and {MOVED:g} standard deviations")
    table = {name: after[name][found.after] for name in IDENTITY}
    table |= {"change": found.ratio, "change_error": found.error, "left_sigma": found.left}
    write_parquet(pa.table(table), output.with_suffix(".parquet"))
    rows = [[*(str(after[name][found.after[k]]) for name in IDENTITY), f"{found.ratio[k]:.4f}", f"{found.left[k]:+.1f}"]
            for k in moved[:200]]  # fmt: skip
    content = _pictures(_change_figures(after, found)) + _table(
        [*IDENTITY, "gain after / before", "standard deviations"], rows
    )
    _write(output, "Change of gains", lines, content)
    return lines


def _change_figures(after: PadTable, found: GainChanges) -> list[bytes]:
    import matplotlib
    from matplotlib.figure import Figure

    matplotlib.use("Agg")
    figure = Figure(figsize=(11, 4.2))
    one, other = figure.subplots(1, 2)
    known = np.isfinite(found.ratio)
    low, high = np.quantile(found.ratio[known], [0.01, 0.99])
    one.hist(found.ratio[known], np.linspace(low, high, 80), color="#0b6e75")
    one.set(xlabel="gain after / before", ylabel="pads")
    if {"x", "y"} <= set(after.columns):
        rows = found.after[known]
        drawn = other.scatter(after["x"][rows], after["y"][rows], c=found.ratio[known], s=1, vmin=low, vmax=high)
        other.set(xlabel="x / mm", ylabel="y / mm", aspect="equal")
        figure.colorbar(drawn, ax=other, label="gain after / before")
    return [_png(figure)]


def write_crosscheck(krypton: PadTable, collisions: PadTable, output: Path) -> list[str]:
    """Write decisions by krypton beside those by collisions, and return them in lines. Raises SourceError."""
    found = cross_check(krypton, collisions)
    total = found.total
    lines = [
        f"{total.pads} pads in both: decisions differ on {total.wrong:.2%} ({total.low:.2%} to {total.high:.2%}) of "
        f"{total.pads - total.undecided}; {total.undecided} have not enough data"
    ]
    lines += [f"{found.lost} pads are in one of the tables only, and left out"] if found.lost else []
    rows = np.flatnonzero(found.differ)
    a, b = found.krypton[rows], found.collisions[rows]
    table = {name: krypton[name][a] for name in IDENTITY}
    table |= {"krypton": krypton["class"][a].astype(str), "collisions": collisions["class"][b].astype(str)}
    write_parquet(pa.table(table), output.with_suffix(".parquet"))
    words = ["by krypton", "pads", "good by collisions", "problematic", "not enough data", "differ", "interval (90 %)"]
    content = _table(words, [_cells(one) for one in (*found.classes, total)])
    content += "<h2>Pads on which they differ</h2>" + _pictures(_pairs(krypton, collisions, a, b))
    content += _table(list(table), [[str(column[k]) for column in table.values()] for k in range(min(len(rows), 500))])
    _write(output, "Krypton and collisions", lines, content)
    return lines


def _cells(one: Agreement) -> list[str]:
    share = "" if not np.isfinite(one.wrong) else f"{one.wrong:.2%}"
    return [
        one.name,
        *map(str, (one.pads, one.good, one.problematic, one.undecided)),
        share,
        f"{one.low:.2%} to {one.high:.2%}",
    ]


def _pairs(krypton: PadTable, collisions: PadTable, a: Any, b: Any) -> list[bytes]:
    """Return both spectra of the first pads on which decisions differ, where the spectra are where they were."""
    both = [_spectra(table) for table in (krypton, collisions)]
    if not len(a) or any(one is None for one in both):
        return []
    import matplotlib
    from matplotlib.figure import Figure

    matplotlib.use("Agg")
    count = min(len(a), SHOWN)
    figure = Figure(figsize=(11, 1.7 * count))
    axes = np.atleast_2d(figure.subplots(count, 2))
    for k in range(count):
        name = " ".join(f"{part} {krypton[part][a[k]]}" for part in IDENTITY)
        sides = zip(axes[k], both, (krypton, collisions), (a[k], b[k]), ("Kr", "collisions"), strict=True)
        for axis, spectra, table, row, by in sides:
            counts, edges = spectra  # type: ignore[misc]
            axis.stairs(counts[row], edges, color="#0b6e75")
            axis.set_title(f"{name}, {by}: {table['class'][row]}", fontsize=8)
            axis.tick_params(labelsize=7)
    figure.tight_layout()
    return [_png(figure)]


def _spectra(table: PadTable) -> tuple[Floats, Floats] | None:
    from lynkeus.sources import Layout, open_source
    from lynkeus.transforms.pads.spectra import edges_of

    data, layout = table.about.get("data"), table.about.get("layout")
    try:
        batch = next(iter(open_source(data, Layout.from_dict(layout) if layout else "tpc_pads"))) if data else None
    except LynkeusError:
        return None
    if batch is None or len(batch) != len(table):
        return None
    return batch.values[:, 1:-1], edges_of(batch.schema)


def _png(figure: Any) -> bytes:
    made = io.BytesIO()
    figure.savefig(made, format="png", dpi=110)
    return made.getvalue()


def _pictures(pictures: Sequence[bytes]) -> str:
    return "".join(
        f'<p><img alt="" src="data:image/png;base64,{base64.b64encode(one).decode()}"></p>' for one in pictures
    )


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    cells = "".join(f"<th>{html.escape(word)}</th>" for word in head)
    body = "".join("<tr>" + "".join(f"<td>{html.escape(word)}</td>" for word in row) + "</tr>" for row in rows)
    return f"<table><thead><tr>{cells}</tr></thead><tbody>{body}</tbody></table>"


def _write(output: Path, title: str, lines: Sequence[str], content: str) -> None:
    said = "".join(f"<p>{html.escape(line)}</p>" for line in lines)
    style = (
        "body{font:16px/1.5 system-ui,sans-serif;max-width:72rem;margin:2rem auto;padding:0 1rem}img{max-width:100%}"
        "td,th{padding:.1rem .9rem .1rem 0;text-align:left}"
    )
    page = (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        f"<style>{style}</style></head><body><h1>{title}</h1>{said}{content}</body></html>"
    )
    write_whole(output, page.encode())
