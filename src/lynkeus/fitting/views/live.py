"""Live: only the channels that carry a signal, and a message where one of the others wakes up."""

from __future__ import annotations

from collections.abc import Iterator

from lynkeus.core.batch import Batch
from lynkeus.core.protocols import Source
from lynkeus.fitting.views.live_channels import LiveChannels
from lynkeus.sources.wrappers.wrapper import Wrapper


class Live(Wrapper):
    """The live channels of a table; `woken` counts, per channel set aside, the batches in which it moved."""

    def __init__(self, source: Source, channels: LiveChannels) -> None:
        super().__init__(source, channels.schema(source.schema))
        self.channels = channels
        self.woken: dict[str, int] = {}

    def __iter__(self) -> Iterator[Batch]:
        self.woken, self.own_messages = {}, []
        for batch in self.source:
            for name in self.channels.awake(batch):
                if name not in self.woken:
                    self.own_messages.append(
                        f"{name} was set aside ({self.channels.asleep[name]}) and has come alive; fit again to watch it"
                    )
                self.woken[name] = self.woken.get(name, 0) + 1
            yield self.channels.select(batch)
