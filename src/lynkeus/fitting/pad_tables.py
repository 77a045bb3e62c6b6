"""What is kept in the table of pads of where it comes from: the model, the spectra, how they are read."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from lynkeus.core import Source
from lynkeus.files.model_folder import SUMS
from lynkeus.fitting.fitted import Fitted
from lynkeus.sources import files_of
from lynkeus.transforms.pads.spectra import is_of_pads

ABOUT = b"lynkeus_pads"


def about_pads(fitted: Fitted, model: Path, source: Source) -> dict[bytes, bytes] | None:
    """Return the metadata of a table of pads, None for other tables."""
    if not is_of_pads(fitted.view.schema):
        return None
    found: dict[str, Any] = {"model": str(model.resolve()), "layout": fitted.view.layout}
    files = files_of(source)
    if files:
        found["data"] = str(files[0].resolve())
    if (model / SUMS).is_file():
        found["model_sha256"] = hashlib.sha256((model / SUMS).read_bytes()).hexdigest()
    if fitted.lineage.get("labels"):
        found["labels"] = fitted.lineage["labels"]
    return {ABOUT: json.dumps(found).encode()}
