"""Random weights that depend on a seed only."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import torch


@contextlib.contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Random weights that depend on the seed only, without touching the generator of the caller."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield
