"""Units: whether charges of a batch can be those of the template, and those of each sector of the others."""

from __future__ import annotations

import numpy as np

from lynkeus.core import Array, Batch, SchemaError
from lynkeus.scorers.taggers.pads.evidence import Evidence
from lynkeus.transforms.pads.template import Template, first_gains

FAR = np.log(1.8)  # of a whole run or sector: no temperature, pressure or voltage moves a gain so far between runs
FEWEST = 20
ENOUGH = 3000  # pads that say where the peaks of all are


def require_units(own: Evidence, batch: Batch, template: Template, good: Array, fitted: bool) -> None:
    """Raise SchemaError where the main peaks of most pads, or of a sector, lie elsewhere than those of the template."""
    counts = batch.values[:, 1:-1]
    full = counts.sum(axis=1) >= FEWEST
    if not full.any():
        return
    if not fitted:
        some = np.flatnonzero(full)
        peak, _ = first_gains(counts[some[:: max(1, len(some) // ENOUGH)]], template.edges)
        usual = float(np.exp(np.median(own.log_gain[good]))) if good.any() else 1.0
        ratio = peak / template.peak
        if abs(np.log(ratio)) > FAR and not 0.7 < ratio / usual < 1.4:
            raise SchemaError(
                f"the main peak lies at a charge of {peak:.4g}, in the data of the fit at {template.peak:.4g}: are the "
                f"charges in other units (a factor {ratio:.3g})?"
            )
    _require_sectors(batch, template, full)


def _require_sectors(batch: Batch, template: Template, full: Array) -> None:
    sector = batch.meta["sector"]
    centres: dict[int, float] = {}
    for one in np.unique(sector):
        rows = np.flatnonzero(full & (sector == one))
        if len(rows) >= FEWEST:
            centres[int(one)] = first_gains(batch.values[rows[:: max(1, len(rows) // 200)], 1:-1], template.edges)[0]
    if len(centres) < 2:
        return
    usual = min(centres.values(), key=lambda peak: abs(np.log(peak / template.peak)))
    for one, peak in centres.items():
        if abs(np.log(peak / usual)) > FAR:
            raise SchemaError(
                f"sector {one}: its main peak lies at a charge of {peak:.4g}, those of the others at {usual:.4g} (a "
                f"factor {peak / usual:.3g}): another binning or unit in this sector?"
            )
