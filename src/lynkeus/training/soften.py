"""Softer copies of known anomalies, so that a handful of them teaches more than itself (mixup, arXiv:1710.09412)."""

from __future__ import annotations

import torch
from torch import Tensor


def softened(x: Tensor, y: Tensor, least: float) -> Tensor:
    """Samples x (b, ...), in which each known anomaly (y not 0) is drawn towards a random good one of the batch.

    It keeps a share of its own between `least` and 1. Where faults add to what good samples show, that is the same
    fault, smaller, on another sample. `least` 1: as they are.
    """
    known, good = torch.nonzero(y)[:, 0], torch.nonzero(y == 0)[:, 0]
    if least >= 1 or not len(known) or not len(good):
        return x
    share = least + (1 - least) * torch.rand(len(known), *[1] * (x.ndim - 1)).to(x.device)
    other = x[good[torch.randint(len(good), (len(known),)).to(x.device)]]
    return x.index_copy(0, known, other + share * (x[known] - other))
