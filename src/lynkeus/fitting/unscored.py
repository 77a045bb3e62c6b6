"""Unscored: how many samples of classes or numbers have no score, or miss some of their values, in lines."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lynkeus.core import about_of
from lynkeus.fitting.fitted import Fitted, Scored


@dataclass
class Unscored:
    """Counts samples as they are scored, where the scorer answers with a class or a number: an odd score would be seen,
    one that is missing is not."""

    fitted: Fitted
    samples: int = 0
    without: int = 0
    partly: int = 0

    def add(self, scored: Scored) -> None:
        """Count one batch."""
        about = about_of(self.fitted.scorer)
        if not (about.by_class or about.measures):
            return
        gone = np.asarray(~np.isfinite(scored.scores).any(axis=1))
        self.samples += len(gone)
        self.without += int(gone.sum())
        values = scored.batch.values
        if isinstance(values, np.ndarray) and values.dtype.kind == "f" and values.ndim > 1:
            missing = ~np.isfinite(values.reshape(len(values), -1))
            self.partly += int((missing.any(axis=1) & ~gone).sum())

    @property
    def messages(self) -> list[str]:
        """Return what is said at the end; nothing where all is well."""
        of = f"of {self.samples:,} samples"
        said = [f"{self.without:,} {of} have no score (NaN): empty, or too much of them is missing"]
        also = [f"{self.partly:,} {of} miss some of their values, and are scored without them"]
        return [*(said if self.without else ()), *(also if self.partly else ())]
