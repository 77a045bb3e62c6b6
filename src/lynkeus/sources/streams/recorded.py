"""Recorded: some minutes of a stream, kept on the disk, so that a fit may read them several times."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from lynkeus.core.batch import Batch, Schema, TimesNs
from lynkeus.core.errors import SettingsError, SourceError
from lynkeus.files.whole import disk_errors
from lynkeus.sources.images.pixel_rule import PixelRule, Range
from lynkeus.sources.streams.camera import by_rule
from lynkeus.sources.streams.source import StreamSource

UNITS_S = {"": 1.0, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86_400.0}
ROWS = 4096  # of a batch
NUMBERS = 16_000_000  # of a batch of images
LOOKED_AT = 300  # frames that say which range of more than 8 bits they use


def seconds_of(text: str) -> float:
    """Return the seconds of "30s", "30m", "2h" or "1d". Raises SettingsError."""
    found = re.fullmatch(r"(\d+(?:\.\d*)?)\s*([a-z]*)", text.strip())
    if found is None or found[2] not in UNITS_S or not float(found[1]):
        raise SettingsError(f"--for {text}: must be a time such as 30s, 30m, 2h or 1d")
    return float(found[1]) * UNITS_S[found[2]]


class Recorded:
    """The rows of a stream over `seconds`, in order of time; `messages` are those of the stream. Frames of a camera in
    8 bits by a `rule` that they ask for; those that have none are left out. `origin`: from where, and how long.

    Raises SourceError where nothing came."""

    def __init__(self, stream: StreamSource, seconds: float) -> None:
        self.schema: Schema = stream.schema
        self.origin = {"path": stream.settings.where, "seconds": seconds}
        stream.for_s = seconds
        kind: Any = getattr(stream, "kind", np.float64)
        # A day of 2,000 channels at 10 Hz is 14 GB: what is not read at the moment need not be in memory.
        times: list[TimesNs] = []
        empty = 0
        where = Path(tempfile.gettempdir())
        with disk_errors(where, "what comes cannot be kept"), tempfile.TemporaryFile() as values:
            for batch in stream:
                assert batch.time_ns is not None
                if "problem" in batch.meta:
                    empty += len(batch)
                    continue
                values.write(np.ascontiguousarray(batch.values, kind).tobytes())
                times.append(batch.time_ns)
            values.flush()
            rows = sum(map(len, times))
            if not rows:
                raise SourceError(f"{stream.settings.where}: no sample came in {seconds:g} s; see rate_hz, tolerance_s")
            shape = (rows, *(size or 0 for size in self.schema.shape))
            # The file has no name: it is gone with whoever maps it.
            kept = np.memmap(values, kind, "r", shape=shape)
        self.rows = Batch(self.schema, kept, np.concatenate(times))
        self.rule = self._own_rule(kept) if self.schema.kind == "image" else None
        self._each = ROWS if self.rule is None else max(1, NUMBERS // int(np.prod(shape[1:])))
        lacking = [f"{empty} of {rows + empty} samples had no frame and are left out"] if empty else []
        assert self.rows.time_ns is not None
        span_s = (self.rows.time_ns[-1] - self.rows.time_ns[0]) / 1e9  # with what came while its channels were learned
        recorded = f"{len(self.rows)} samples of {max(span_s, 0.0):.4g} s were recorded"
        self.messages = [*stream.counted(), *lacking, recorded, *(self.rule.words() if self.rule else [])]

    def _own_rule(self, frames: Any) -> PixelRule:
        """The rule by which the pixels become 8 bits: the one that these frames ask for."""
        if frames.dtype == np.uint8:
            return PixelRule().of_depth(False)
        some = frames[:: -(-len(frames) // LOOKED_AT)]
        return PixelRule.of([Range.of(np.asarray(one)) for one in some]).of_depth(True)

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[Batch]:
        for start in range(0, len(self.rows), self._each):
            part = self.rows[start : start + self._each]
            values = np.array(part.values)
            yield part.with_values(values if self.rule is None else by_rule(values, self.rule))
