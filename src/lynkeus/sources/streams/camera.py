"""CameraSource: channels of a control system, or the frames of a camera as images in time; PvaSource: of PVAccess.

Frames are joined, counted, masked and found again as other updates are, of which each is one sample: `uniqueId` is the
number of its pulse, so that lost frames are counted exactly.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import groupby
from typing import Any

import numpy as np

from lynkeus.core.batch import Array, Batch, Schema
from lynkeus.core.errors import SettingsError, SourceError
from lynkeus.sources.images.folder import GREY, RGB
from lynkeus.sources.images.pixel_rule import PixelRule
from lynkeus.sources.streams.events import Event
from lynkeus.sources.streams.frames import Frame
from lynkeus.sources.streams.listener import Columns, Listener
from lynkeus.sources.streams.pva import PvaClient
from lynkeus.sources.streams.settings import StreamSettings
from lynkeus.sources.streams.source import NS, StreamSource, rounded_rate
from lynkeus.sources.streams.update import Transport, Update
from lynkeus.sources.streams.warm_up import Seen, warm_up

WAITING_BYTES = 256_000_000  # of frames that may wait


class Camera:
    """A Transport of one camera, around that of a control system (`inner`): gives frames of one `shape` (channel, row,
    column), without one that of the first, as vectors; one of another shape or type of numbers (`kind`) is as if the
    camera were gone. `sends`: "frames", "numbers" or both."""

    def __init__(self, inner: Transport) -> None:
        self.inner = inner
        self.shape: tuple[int, ...] | None = None
        self.kind: np.dtype[Any] | None = None
        self.sends: set[str] = set()
        self.limit: Callable[[int], None] = lambda frame_bytes: None

    def __getattr__(self, name: str) -> Any:
        """What a transport may have besides."""
        return getattr(self.inner, name)

    @property
    def tell(self) -> Callable[[str], None]:
        """Return what takes lines for people."""
        found: Callable[[str], None] = getattr(self.inner, "tell", lambda line: None)
        return found

    @tell.setter
    def tell(self, told: Callable[[str], None]) -> None:
        self.inner.tell = told  # type: ignore[attr-defined]

    def begin(self, addresses: tuple[str, ...], put: Callable[[Update], None]) -> None:
        """Subscribe to it."""

        def take(update: Update) -> None:
            value = update.value
            if value is not None:
                self.sends.add("frames" if isinstance(value, Frame) else "numbers")
            if isinstance(value, Frame):
                if self.shape is None:
                    self.shape = value.pixels.shape
                if self.kind is None:
                    self.kind = value.pixels.dtype
                    self.limit(8 * value.pixels.size)
                if value.pixels.shape == self.shape and value.pixels.dtype == self.kind:
                    update = update._replace(value=value.pixels.ravel())
                else:
                    expected = in_words(self.shape, self.kind)
                    says = f"sends frames of {in_words(value.pixels.shape, value.pixels.dtype)}, expected {expected}"
                    update = Update(update.channel, 0, 0, None, 0, update.arrived_ns, says)
            put(update)

        self.inner.begin(addresses, take)

    def again(self, channels: Sequence[int]) -> None:
        """Look for it anew."""
        self.inner.again(channels)

    def close(self) -> None:
        """End the subscription."""
        self.inner.close()


class CameraSource(StreamSource):
    """Channels of a control system; where there is one only, and it is a camera, its frames.

    Frames are (n, channel, row, column), 8 bits by the `rule`; without one as the camera gives them. A frame that is
    INVALID or of another size, and the time while the camera is lost, are samples without values (NaN,
    meta["problem"]). `kind`: the type of the numbers, known once `schema` is."""

    def __init__(self, settings: StreamSettings, transport: Transport, expected: Schema | None = None) -> None:
        many = len(settings.channels)
        if many > 1 and expected is not None and expected.kind == "image":
            raise SettingsError(f"{settings.where}: frames of one camera are one source; name one of {many}")
        self.camera = Camera(transport) if many == 1 else None
        super().__init__(settings, self.camera or transport, expected)
        self.rule: PixelRule | None = None
        if self.camera is not None:
            self.camera.limit = self._limit
            self.tag_words = "frames are counted by their numbers (uniqueId)"

    def _limit(self, frame_bytes: int) -> None:
        self.inbox.limit = max(2, min(self.settings.queue, WAITING_BYTES // max(frame_bytes, 1)))

    @property
    def kind(self) -> np.dtype[Any]:
        """Return the type of the numbers of a frame, or of a row."""
        return np.dtype(np.float64) if self.camera is None or self.camera.kind is None else self.camera.kind

    def _heard(self) -> Seen:
        if self._seen is None:
            self._begin()
            self._seen = warm_up(self.inbox, 1, self.settings.connect_s)
        return self._seen

    def _learned(self) -> tuple[Schema, Columns]:
        if self.camera is None:
            return super()._learned()
        seen, shape = self._heard(), self.camera.shape
        if shape is None:
            return super()._learned()
        if not self.settings.rate_hz and seen.period_ns is None:
            self.close()
            short = f"fewer than four frames in {self.settings.connect_s:g} s"
            raise SourceError(f"{self.settings.where}: {short}; say rate_hz, or a longer connect_s")
        rate = float(self.settings.rate_hz) or rounded_rate(NS / (seen.period_ns or NS))
        self._say(f"{rate:g} frames a second of {in_words(shape, self.kind)}, by the camera's time stamps")
        return Schema("image", RGB if shape[0] == len(RGB) else GREY, (), shape, rate), self._whole(shape)

    def _expected(self) -> tuple[Schema, Columns]:
        if self.camera is None or self.expected is None or self.expected.kind != "image":
            return super()._expected()
        shape = tuple(int(size) for size in self.expected.shape if size is not None)
        if len(shape) < len(self.expected.shape):
            seen = self._heard()
            if self.camera.shape is None:
                self.close()
                says = [one.says for one in seen.updates if one.says]
                raise SourceError(
                    f"{self.settings.where}: no frame came in {self.settings.connect_s:g} s"
                    f"{f' ({says[-1]})' if says else ''}; check the name, and that the camera acquires"
                )
            shape = self.camera.shape
            self.expected.require(replace(self.expected, shape=shape), "the model")
        self.camera.shape = shape
        return self.expected, self._whole(shape)

    def _listener(self, schema: Schema, seen: Seen) -> Listener:
        """Raise SourceError where what comes can never be what the model reads."""
        sends = self.camera.sends if self.camera is not None else set()
        frames = {one.channel for one in seen.updates if isinstance(one.value, Frame)}
        frames |= {0} if sends == {"frames"} else set()
        says = ""
        if schema.kind == "image" and sends == {"numbers"}:
            says = "sends numbers, and the model reads frames of a camera; name the channel that sends these"
        elif schema.kind != "image" and frames:
            says = "sends frames of a camera, and the model reads numbers; leave it out"
        if says:
            self.close()
            raise SourceError(f"{self.settings.where}: {self.channels[min(frames, default=0)].name} {says}")
        return super()._listener(schema, seen)

    def _whole(self, shape: Sequence[int]) -> Columns:
        pixels = int(np.prod(shape))
        return Columns([slice(0, pixels)], pixels, [False])

    def _batches(self, schema: Schema, events: list[Event]) -> Iterator[Batch]:
        if schema.kind != "image":
            yield from super()._batches(schema, events)
            return
        for empty, some in groupby(events, key=lambda event: bool(np.isnan(event.values[0]))):
            yield self._frames(schema, list(some), empty)

    def _frames(self, schema: Schema, events: Sequence[Event], empty: bool) -> Batch:
        times = np.array([event.first_ns for event in events], np.int64)
        shape = (len(events), *((self.camera and self.camera.shape) or ()))
        if empty:  # takes no memory
            meta = {"problem": np.full(len(events), "there is no frame")}
            return Batch(schema, np.broadcast_to(np.float32(np.nan), shape), times, meta=meta)
        values: Array = np.stack([event.values for event in events]).astype(self.kind).reshape(shape)
        return Batch(schema, values if self.rule is None else by_rule(values, self.rule), times)


class PvaSource(CameraSource):
    """Live EPICS process variables by PVAccess: epics+pva://LIST.toml or epics+pva://NAME,NAME?server=HOST:PORT; where
    the only one is a camera (NTNDArray), its frames."""

    def __init__(self, url: str, expected: Schema | None = None) -> None:
        settings = StreamSettings.of_url(url)
        super().__init__(settings, PvaClient(settings), expected)


def in_words(shape: Sequence[int], kind: Any) -> str:
    """Return "64 x 48 pixels, grey, uint8"."""
    channels, rows, columns = shape
    return f"{columns} x {rows} pixels, {'colour' if channels == len(RGB) else 'grey'}, {kind}"


def by_rule(frames: Array, rule: PixelRule) -> Array:
    """Return frames in 8 bits."""
    return frames if frames.dtype == np.uint8 else rule.eight_bits(frames)
