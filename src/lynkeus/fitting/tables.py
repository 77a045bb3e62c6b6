"""The rows of the tables that `score` writes: of a window or sample, of an image with its spots, of a run."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from lynkeus.core import Batch, Describes, Finding, Heads, Measures, RunRecord, about_of
from lynkeus.core.spread import Spread
from lynkeus.fitting.fitted import Fitted, Scored

BOOKKEEPING = ("end_ns", "done_ns", "position", "fault_fraction")  # in meta, but nothing that names the sample
SPOTS = 3
Row = dict[str, Any]


def columns(fitted: Fitted, scored: Scored, first_row: int) -> dict[str, object]:
    """Return one batch as columns: `start_ns`, `end_ns` (without times: `row`, of clouds that in their file), what the
    source calls the sample (`cavity`, `pid`), then for each output its name, `<output>_p_value`, and
    `<output>_alarms_per_hour` where the reference has a duration; `fault`: its kind, of scorers that name one; what it
    says besides (`Describes`); `where` of the first output. Of estimates: each with `_spread`, and beside a
    number that the data state (`_truth`) `_p_value`."""
    batch = scored.batch
    found: dict[str, object] = {}
    if batch.time_ns is not None:
        found["start_ns"] = batch.time_ns
        rate = batch.schema.sample_rate_hz
        found["end_ns"] = batch.meta.get("end_ns", batch.time_ns + (round(1e9 / rate) if rate else 0))
    elif batch.schema.kind == "cloud" and "position" in batch.meta:
        found["row"] = batch.meta["position"]  # in its file: a selection leaves some out, and events have several jets
    else:
        found["row"] = np.arange(first_row, first_row + len(batch))
    about = about_of(fitted.scorer)
    asked = fitted.scorer.heads if isinstance(fitted.scorer, Heads) else {}
    known = {name: column for name, column in batch.meta.items() if name not in BOOKKEEPING and column.ndim == 1}
    # What was answered by people is not what the model answers.
    found |= {f"known_{name}" if name in asked else name: column for name, column in known.items()}
    if about.measures:
        found = {name: column for name, column in found.items() if name not in fitted.scorer.outputs}
        return found | _numbers(fitted, scored)
    for k, output in enumerate(fitted.scorer.outputs):
        found[output] = scored.scores[:, k]
        if _has_p_value(fitted, output):
            found[f"{output}_p_value"] = scored.p_values[:, k]
        if scored.rates is not None:
            found[f"{output}_alarms_per_hour"] = scored.rates[:, k]
    if about.names_kinds:
        found["fault"] = scored.kinds.tolist()
    if isinstance(fitted.scorer, Describes):
        found |= fitted.scorer.further(batch)
    if asked:
        return found
    if about.tags:
        return found | _class_of(batch)
    found["where"] = scored.where(0).tolist()
    if batch.truth is not None:
        found["truth"] = batch.truth
    return found


def _has_p_value(fitted: Fitted, output: str) -> bool:
    """Return whether the p-value of an output says anything: not of a class that was learned without labels."""
    about = about_of(fitted.scorer)
    return not (about.tags and about.labels == "optional" and fitted.calibrations[output].samples == 0)


def _numbers(fitted: Fitted, scored: Scored) -> dict[str, object]:
    """Return estimates and their spreads; where the data state a number, this, and how often one that is true is
    estimated as far from it."""
    scorer, found = fitted.scorer, dict[str, object]()
    assert isinstance(scorer, Measures)
    spread = scorer.spread(scored.batch)
    for k, output in enumerate(scorer.outputs):
        found |= {output: scored.scores[:, k], f"{output}_spread": spread[:, k]}
        calibration, stated = fitted.calibrations[output], scored.batch.meta.get(output)
        if stated is not None and isinstance(calibration, Spread):
            truth = np.asarray(stated, float)
            found[f"{output}_truth"] = truth
            found[f"{output}_p_value"] = calibration.of_stated((scored.scores[:, k] - truth) / spread[:, k])
    return found


def _class_of(batch: Batch) -> dict[str, object]:
    """Return what each sample is, in words, '' where that is not known; nothing where it is not known of any."""
    classes = batch.schema.classes
    if batch.truth is None or not classes or "label" in batch.meta:
        return {}
    return {"label": np.array([*classes, ""])[batch.truth].tolist()}


def image_row(fitted: Fitted, scored: Scored) -> Row:
    """Return the row of an image: what is known of it, its score, `p_value` (and the same as `<output>_p_value`), and
    at most SPOTS spots with place, height in sigmas, area in pixels and the good patches that they are most like."""
    batch, output, found = scored.batch, fitted.scorer.outputs[0], scored.found[0][0]
    p_value = float(scored.p_values[0, 0])
    row: Row = {name: column[0].item() for name, column in batch.meta.items() if column.ndim == 1}
    row |= {output: float(scored.scores[0, 0]), "p_value": p_value, f"{output}_p_value": p_value}
    spots = [one for one in found if "x" in one.region]
    for number in range(SPOTS):
        row |= _spot(f"spot{number + 1}", spots[number] if number < len(spots) else None)
    if batch.truth is not None:
        row["truth"] = int(batch.truth[0])
    return row


def _spot(name: str, spot: Finding | None) -> Row:
    place = (spot.region["x"][0], spot.region["y"][0], spot.sigma, spot.size) if spot else (np.nan,) * 4
    row: Row = {f"{name}_{key}": float(value) for key, value in zip(("x", "y", "sigma", "area"), place, strict=True)}
    like = spot.like if spot else ()
    return row | {f"{name}_good": json.dumps([one._asdict() for one in like]) if like else ""}


def verdict_row(record: RunRecord) -> Row:
    """Return a row of the table of verdicts on runs."""
    change = record.change
    return {
        "run": record.run,
        "verdict": record.verdict.value.upper(),
        "p_value": record.p_value,
        "change": change.kind,
        "population": change.population,
        "variable": change.variable,
        "where": change.where,
        "size": change.size if change.kind != "none" else float("nan"),
        "unit": change.unit,
        "sigma": change.sigma,
        "reason": record.reason,
        "score": record.score,
        "events": record.events,
        "start_ns": record.start_ns,
        "region": json.dumps({name: list(ends) for name, ends in change.region.items()}),
    }


def verdict_table(rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    """Return rows of verdicts as a table; times are whole numbers also where none is known."""
    table = pa.Table.from_pylist([dict(row) for row in rows])
    at = table.schema.get_field_index("start_ns")
    return table.set_column(at, "start_ns", table.column(at).cast(pa.int64()))
