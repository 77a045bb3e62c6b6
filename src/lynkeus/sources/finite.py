"""Finite: a Source without Inf; the readers leave it in, this wrapper turns it into NaN and says how often."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from lynkeus.core.batch import Batch
from lynkeus.sources.wrapper import Wrapper


class Finite(Wrapper):
    """The same samples with Inf as NaN (missing); `messages` counts them and names the first channel."""

    def __len__(self) -> int:
        return len(self.source)  # type: ignore[arg-type]

    def __iter__(self) -> Iterator[Batch]:
        self.own_messages.clear()
        count, first = 0, ""
        for batch in self.source:
            if batch.values.dtype.kind != "f" or not (infinite := np.isinf(batch.values)).any():
                yield batch
                continue
            if not count and self.schema.names and batch.values.ndim > 1:
                channel = int(np.argwhere(infinite)[0][1])
                first = f", first in {self.schema.names[channel]}"
            count += int(infinite.sum())
            self.own_messages[:] = [f"{count} infinite values are taken as missing (NaN){first}"]
            yield batch.with_values(np.where(infinite, np.nan, batch.values).astype(batch.values.dtype, copy=False))
