"""Channels: tables and waveforms as their live channels, row by row or in windows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from lynkeus.core import Array, Batch, Evidence, Finding, Schema, SchemaError, Source, Watches
from lynkeus.fitting.explanation import per_channel
from lynkeus.fitting.views.live import Live
from lynkeus.fitting.views.live_channels import LiveChannels
from lynkeus.sources import Window, files_of
from lynkeus.sources.wrappers.matched import matched

MOST_ROWS = 1 << 31  # of a window


@dataclass(frozen=True)
class Channels:
    """The `channels` that carry a signal, in windows of `window` rows every `stride`; see View."""

    schema: Schema
    channels: LiveChannels
    window: int = 0
    stride: int = 0
    layout: dict[str, Any] | None = None
    kind: ClassVar[str] = "channels"
    worth: ClassVar[float] = 0.01
    alone: ClassVar[bool] = False

    @property
    def names(self) -> tuple[str, ...]:
        """Return the names of the live channels."""
        return self.channels.schema(self.schema).names

    def of(self, source: Source, who: str = "the model") -> Source:
        """Return windows, or rows, of the live channels. Raises SchemaError where the data are others."""
        source = matched(source, self.schema)
        try:
            self.schema.require(source.schema, who)
        except SchemaError as error:
            files = files_of(source)
            new = set(source.schema.names) - set(self.schema.names)
            renamed = "; were they renamed? a layout calls them as before, by suffix" if new else ""
            raise SchemaError(f"{f'{files[0]}: ' if files else ''}{error}{renamed}") from error
        live = Live(source, self.channels, self.window)
        return Window(live, self.window, self.stride or None) if self.window else live

    def training(self, source: Source) -> Source:
        """Return the same as `of`."""
        return self.of(source)

    def places(self, batch: Batch, evidence: Evidence, reference: dict[str, Array]) -> list[Finding]:
        """Name the channel that speaks most."""
        names = batch.schema.names or tuple(f"column {k}" for k in range(batch.values.shape[1]))
        return [Finding(where=names[channel]) for channel in np.abs(per_channel(evidence)).argmax(axis=1)]

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON types."""
        return {
            "kind": self.kind, "schema": self.schema.to_dict(), "channels": self.channels.to_dict(),
            "window": self.window, "stride": self.stride, "layout": self.layout,
        }  # fmt: skip

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> Self:
        """Return what `to_dict` was called on."""
        schema, channels = Schema.from_dict(fields["schema"]), LiveChannels.from_dict(fields["channels"])
        if channels.names != schema.names:
            raise ValueError("channels: their names are not those of the schema")
        for name in ("window", "stride"):
            if type(fields[name]) is not int or not 0 <= fields[name] < MOST_ROWS:
                raise ValueError(f"{name}: {fields[name]!r} is no number of rows")
        return cls(schema, channels, fields["window"], fields["stride"], fields["layout"])


def watched_of(model: Any) -> npt.NDArray[np.bool_]:
    """Return (c,) the channels that a model speaks of: those that are alive and no causes of what it watches. Raises
    SchemaError where it does not see data by channels."""
    channels = channels_of(model)
    if not isinstance(model.scorer, Watches):
        return channels.live
    return np.asarray(channels.live & np.isin(channels.names, model.scorer.watches))


def channels_of(model: Any) -> LiveChannels:
    """Return the channels of a model that sees data by channels. Raises SchemaError for another one."""
    if not isinstance(model.view, Channels):
        raise SchemaError(
            f"faults are planted into rows of a table; the model {model.name} reads {model.view.schema.kind}s"
        )
    return model.view.channels
