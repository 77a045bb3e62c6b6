"""Live: only the channels that carry a signal, and a message where one of the others wakes up, or one has no values."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from lynkeus.core.batch import Batch
from lynkeus.core.protocols import Source
from lynkeus.fitting.views.live_channels import LiveChannels
from lynkeus.sources.formats.tables import listed
from lynkeus.sources.wrappers.wrapper import Wrapper, files_of


class Live(Wrapper):
    """The live channels of a table; `woken` counts, per channel set aside, the batches in which it moved. `silent`:
    those that had no value in the
    `rows` that were read so far."""

    def __init__(self, source: Source, channels: LiveChannels) -> None:
        super().__init__(source, channels.schema(source.schema))
        self.channels = channels
        self.woken: dict[str, int] = {}
        self.first_ns = 0
        self.rows = 0
        self._seen = np.zeros(0, bool)

    @property
    def silent(self) -> tuple[str, ...]:
        """Names of the live channels without a single value in what was read, where anything was."""
        return tuple(np.array(self.schema.names, dtype=str)[~self._seen].tolist()) if self.rows else ()

    @property
    def messages(self) -> list[str]:
        """What all have to say, and which channels have no values."""
        said = super().messages
        if self.silent and not self._seen.any():
            return [*said, "no channel has a value in these data"]
        if self.silent:
            files = files_of(self)
            where = f"this file ({files[0]})" if len(files) == 1 else "these data"
            have = "has" if len(self.silent) == 1 else "have"
            said.append(f"{listed(self.silent)} {have} no values in {where}")
        return said

    def __iter__(self) -> Iterator[Batch]:
        self.woken, self.own_messages = {}, []
        self.rows, self._seen = 0, np.zeros(len(self.schema.names), bool)
        for batch in self.source:
            for name in self.channels.awake(batch):
                if name not in self.woken:
                    self.own_messages.append(
                        f"{name} was set aside ({self.channels.asleep[name]}) and has come alive; fit again to watch it"
                    )
                self.woken[name] = self.woken.get(name, 0) + 1
            chosen = self.channels.select(batch)
            if not self.rows and len(batch) and batch.time_ns is not None:
                self.first_ns = int(batch.time_ns[0])
            self.rows += len(batch)
            if len(self._seen) and not self._seen.all():
                here = np.isfinite(chosen.values[:, ~self._seen]).reshape(len(batch), int((~self._seen).sum()), -1)
                self._seen[~self._seen] = here.any(axis=(0, 2))
            yield chosen


def silent_of(source: object) -> tuple[str, ...]:
    """Return the channels that had no value in the last pass over a source, however deeply it is wrapped."""
    live = live_of(source)
    return live.silent if live else ()


def live_of(source: object) -> Live | None:
    """Return the live channels inside a prepared source, if it has any."""
    while not isinstance(source, Live):
        if not hasattr(source, "source"):
            return None
        source = source.source
    return source
