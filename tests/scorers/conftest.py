"""Tables of correlated channels for the classical scorers: four common motions, and noise of each channel's own."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import pytest

from lynkeus.core import Batch, Schema, Source
from lynkeus.sources import Window

CHANNELS = 12


@dataclass(frozen=True)
class Rows:
    """A table that is held in memory, in batches of `step` rows."""

    values: np.ndarray
    step: int = 1500

    @property
    def schema(self) -> Schema:
        return Schema("table", tuple(f"BPM.{k}" for k in range(CHANNELS)), ("mm",), (CHANNELS,), sample_rate_hz=10.0)

    def __len__(self) -> int:
        return len(self.values)

    def __iter__(self) -> Iterator[Batch]:
        for first in range(0, len(self.values), self.step):
            part = self.values[first : first + self.step]
            yield Batch(self.schema, part, (first + np.arange(len(part))) * 100_000_000)


@pytest.fixture(scope="session")
def shots() -> np.ndarray:
    """(6000, 12) good rows in mm, channels of very different noise."""
    rng = np.random.default_rng(5)
    motions = rng.normal(size=(4, CHANNELS)) * 0.05
    noise = 0.03 * np.exp(0.7 * rng.normal(size=CHANNELS))
    return 3.0 + rng.normal(size=(6000, 4)) @ motions + rng.normal(size=(6000, CHANNELS)) * noise


@pytest.fixture(scope="session")
def table() -> Callable[..., Source]:
    """From rows to a source of rows."""
    return Rows


@pytest.fixture(scope="session")
def windows() -> Callable[..., Source]:
    """From rows to a source of windows of ten of them."""
    return lambda values, step=1500: Window(Rows(values, step), 10)


@pytest.fixture(scope="session")
def one_batch() -> Callable[[Source], Batch]:
    """A source that is short enough, as one batch."""

    def joined(source: Source) -> Batch:
        (batch,) = source
        return batch

    return joined
