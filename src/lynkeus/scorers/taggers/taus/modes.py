"""Decay modes of taus as classes within a class: numbers for the training, names for the table."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from lynkeus.core import Array, Batch, SettingsError

NAMES = {0: "1-prong", 1: "1-prong + pi0", 2: "1-prong + 2 pi0", 10: "3-prong", 11: "3-prong + pi0"}
OTHER = -1  # a tau whose mode is not known, or none that has a name
FEWEST = 20  # taus of a mode; of fewer nothing is learned, and they are "other"


@dataclass(frozen=True)
class Modes:
    """`codes` of the modes (5 (prongs - 1) + pi0s, -1 other) of the class of number `tau` of so many `classes`; none
    where nothing is to be learned of them."""

    classes: int
    tau: int
    codes: tuple[int, ...]

    @classmethod
    def of(cls, classes: tuple[str, ...], tau: str, truth: Array, codes: Array | None) -> Modes:
        """Return the modes of samples whose classes are `truth` (n,) and whose modes are `codes` (n,), where there are.

        Raises SettingsError for codes that are no whole numbers.
        """
        none = cls(len(classes), -1, ())
        if tau not in classes or codes is None:
            return none
        number = classes.index(tau)
        own = np.asarray(codes)[truth == number]
        if own.dtype.kind not in "iu" and not (np.isfinite(own) & (own == np.round(own))).all():
            raise SettingsError("decay modes must be whole numbers: 5 (prongs - 1) + pi0s, or -1 where it is not known")
        found, counts = np.unique(own.astype(np.int64), return_counts=True)
        known = [int(code) for code, count in zip(found, counts, strict=True) if code in NAMES and count >= FEWEST]
        if len(known) < 2:
            return none
        rest = len(own) - sum(int((own == code).sum()) for code in known)
        return cls(len(classes), number, (*known, OTHER) if rest else tuple(known))

    @property
    def names(self) -> tuple[str, ...]:
        """Return the modes in words."""
        return tuple(NAMES.get(code, "other") for code in self.codes)

    def fine(self, truth: Array, codes: Array | None) -> Array:
        """Return (n,) numbers for the training: classes but for the tau, then modes; without modes the classes."""
        truth = np.asarray(truth, np.int64)
        if not self.codes or codes is None:
            return truth
        place = {code: k for k, code in enumerate(self.codes)}
        mode = np.array([place.get(int(code), len(place) - 1) for code in codes], np.int64)
        others = truth - (truth > self.tau)
        return np.where(truth == self.tau, self.classes - 1 + mode, others)

    def logits(self, classes: Tensor, modes: Tensor | None) -> Tensor:
        """Return (n, classes - 1 + modes): log probabilities, but for a number for each sample, in the order of
        `fine`; of a mode, that of its class and of it among the modes."""
        if not self.codes or modes is None:
            return classes
        own = classes[:, self.tau : self.tau + 1] + torch.log_softmax(modes, dim=1)
        return torch.cat([classes[:, : self.tau], classes[:, self.tau + 1 :], own], dim=1)


def codes_of(batch: Batch, column: str) -> Array | None:
    """Return the column of decay modes (n,), None where the samples do not have it."""
    return np.asarray(batch.meta[column]) if column and column in batch.meta else None
