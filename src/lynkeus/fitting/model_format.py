"""What `model.json` of a model folder holds: written in format 2; what earlier versions wrote is read as well.

Format 1 was that of tables, windows and images; `runs` 1 that of models of runs.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lynkeus.core import Calibration, ModelError, plugins
from lynkeus.core.background import Background, CountedOdds
from lynkeus.core.run_calibration import RunCalibration
from lynkeus.core.spread import Spread
from lynkeus.core.stated import Stated
from lynkeus.fitting.views.as_read import AsRead, Images
from lynkeus.fitting.views.channels import Channels
from lynkeus.fitting.views.hits import HitsView
from lynkeus.fitting.views.view import View

FORMAT = 2
VIEWS: dict[str, Any] = {view.kind: view for view in (AsRead, Channels, Images, HitsView)}
RUNS = "runs"  # the kind of RunPlots, which is imported for models of runs alone: it takes longest


def content_of(
    name: str, view: View, calibrations: Mapping[str, Calibration | Stated], lineage: Mapping[str, Any]
) -> dict[str, Any]:
    """Return what is written of a model, as plain JSON types."""
    return {
        "format": FORMAT,
        "scorer": name,
        "view": view.to_dict(),
        "calibrations": {output: calibration.to_dict() for output, calibration in calibrations.items()},
        "lineage": dict(lineage),
    }


def parts_of(content: Mapping[str, Any]) -> tuple[View, dict[str, Calibration | Stated]]:
    """Return the view and the calibrations of what was written, by this version or an earlier one.

    Raises ModelError for what a later version wrote.
    """
    fields = _now(content)
    if fields.get("format") != FORMAT or fields["view"]["kind"] not in (*VIEWS, RUNS):
        raise ModelError(
            f"the model is of format {fields.get('format')}, this version reads up to {FORMAT}; fit it again, or "
            "install the version that wrote it"
        )
    calibrations = {output: _calibration(own) for output, own in fields["calibrations"].items()}
    return _view(fields["view"]), calibrations


def _view(fields: Mapping[str, Any]) -> View:
    if fields["kind"] == RUNS:
        from lynkeus.fitting.views.run_plots import RunPlots

        return RunPlots.from_dict(fields)
    layout = fields.get("layout")
    if layout is not None and not isinstance(layout, dict):
        raise ValueError(f"layout: {layout!r} is no table of entries")
    view: View = VIEWS[fields["kind"]].from_dict(fields)
    return view


def _calibration(fields: Mapping[str, Any]) -> Calibration | Stated:
    if "scale" not in fields:
        return Calibration.from_dict(fields)
    if fields["scale"] == "background":
        return Background.from_dict(fields)
    if fields["scale"] == "spread":
        return Spread.from_dict(fields)
    if fields["scale"] == "log odds":
        return CountedOdds.from_dict(fields)
    return (RunCalibration if "levels" in fields else Stated).from_dict(fields)


def _now(content: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what an earlier version wrote, as this one would have."""
    if content.get("runs") == 1:
        stated = content["calibration"] is None
        own = Stated(len(content["lineage"].get("runs", ()))).to_dict() if stated else content["calibration"]
        view = {name: content[name] for name in ("columns", "book")}
        kinds = plugins.about(content["scorer"]).kinds
        view |= {"kind": RUNS, "sees": next(kind for kind in kinds if kind in ("cloud", "histogram"))}
        return {"format": FORMAT, "view": view, "calibrations": {"anomaly": own}}
    if content.get("format") == 1:
        names = ("schema", "channels", "window", "stride", "layout")
        kind = Images.kind if content["schema"]["kind"] == "image" and not content["window"] else Channels.kind
        view = {name: content[name] for name in names} | {"kind": kind}
        return {"format": FORMAT, "view": view, "calibrations": content["calibrations"]}
    return content
