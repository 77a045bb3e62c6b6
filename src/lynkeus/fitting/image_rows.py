"""One image of a folder as it is judged: its row, its map where maps are kept, and what readers of rows must know."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np

from lynkeus.core import Array, Batch
from lynkeus.files.whole import disk_errors, replace_file
from lynkeus.fitting.fitted import Fitted
from lynkeus.fitting.tables import Row, image_row
from lynkeus.fitting.views.as_read import rule_of

GOES_ON = "mend that and start again: it goes on"


def row_of_image(fitted: Fitted, batch: Batch, maps: Path | None, name: str = "") -> Row:
    """Return the row of an image, a batch of one; where `maps` are kept its map is written under `name`.

    Raises SourceError where the map cannot be written.
    """
    scored = fitted.score_batch(batch)
    row = image_row(fitted, scored) | {"map": name if maps is not None else ""}
    if maps is not None:
        _save(maps / name, fitted.explain(scored.batch, fitted.scorer.outputs[0])[0, 0])
    return row


def about_rows(model: Path, fitted: Fitted, folder: Path, maps: Path | None, array: str = "") -> dict[str, Any]:
    """Return what those who read rows of images must know; `array`: the one in their HDF5 or NumPy file that holds them
    ("": each is a file, or a page of one); `normals`, `normals_array`: the same of the good images, as they were when
    fitting; `rarest`: no p-value is stated that is smaller."""
    data = fitted.lineage.get("data")
    learned_from: dict[str, Any] = data if isinstance(data, dict) else {}
    return {
        "images": str(folder.absolute()),
        "array": array,
        "maps": str(maps.absolute()) if maps else "",
        "normals": learned_from.get("folder", ""),
        "normals_array": learned_from.get("array", ""),
        "model": str(model.absolute()),
        "position": str(fitted.lineage.get("options", {}).get("position", "")),
        "time": str(fitted.lineage.get("options", {}).get("time", "")),
        "pixels": rule_of(fitted).to_dict(),
        "rarest": getattr(fitted.calibrations[fitted.scorer.outputs[0]], "rarest", 0.0),
    }


def _save(path: Path, values: Array) -> None:
    """As .npy; by way of memory, because of a full disk NumPy does not say that it is full."""
    held = io.BytesIO()
    np.save(held, values)
    with disk_errors(path, "cannot write", GOES_ON):
        replace_file(path, held.getvalue())
