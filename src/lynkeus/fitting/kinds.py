"""The kind of fault of each sample, of scorers that name one."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from lynkeus.core import Batch, Finds, Scorer, about_of


def kinds_of(scorer: Scorer, batch: Batch) -> npt.NDArray[np.str_] | None:
    """Return (n,) the kind of fault by the first output, '' where a sample looks good; None where none is named."""
    if not (isinstance(scorer, Finds) and about_of(scorer).names_kinds):
        return None
    found = scorer.find(batch, scorer.outputs[0])
    return np.array([own[0].kind if own else "" for own in found], dtype=str)
