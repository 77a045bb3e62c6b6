"""Karabo bridge: trains of the European XFEL as its bridge gives them to other programs (ZeroMQ, msgpack).

Names are `SOURCE/key`, as in run files, so that a model that was fitted from runs watches the bridge; of a key the
ending `.value` is left out. Numbers, and vectors of up to 64 numbers, are taken; longer ones and images are not.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from lynkeus.core.batch import Schema
from lynkeus.core.errors import SettingsError
from lynkeus.core.extras import needing
from lynkeus.sources.streams.adapter import Polled, Reading
from lynkeus.sources.streams.settings import StreamSettings
from lynkeus.sources.streams.source import StreamSource

ANSWER_MS = 250
LOST_MS = 3000  # without an answer the question is asked anew, on another connection
LONGEST = 64  # numbers of a vector
LARGEST = 2**63 - 1  # what a sample can hold


class KaraboBridge:
    """An Adapter: asks a bridge for train after train. Every train comes once, to one of those who ask."""

    def __init__(self, address: str) -> None:
        with needing("karabo-bridge://", "live"):
            import msgpack  # noqa: F401
            import zmq  # noqa: F401
        self.address = address
        self._socket: Any = None
        self._waited_ms = 0

    def read(self, addresses: Sequence[str]) -> list[Reading]:
        """Return the next train, or nothing where none came yet. Raises OSError where no bridge answers."""
        import zmq

        if self._socket is None:
            self._socket = zmq.Context.instance().socket(zmq.REQ)
            self._socket.setsockopt(zmq.LINGER, 0)
            self._socket.connect(self.address)
            self._socket.send(b"next")
            self._waited_ms = 0
        if not self._socket.poll(ANSWER_MS):
            self._waited_ms += ANSWER_MS
            if self._waited_ms >= LOST_MS:
                self.close()
                raise OSError(f"{self.address} does not answer")
            return []
        parts = self._socket.recv_multipart()
        self._socket.send(b"next")
        self._waited_ms = 0
        try:
            return list(_readings(parts))
        except Exception as error:  # of msgpack or NumPy, whatever is wrong
            raise OSError(f"{self.address} sends what is no train ({error})") from error

    def addresses(self) -> list[str]:
        """Return the names of one train. Raises SettingsError where none comes."""
        for _ in range(LOST_MS // ANSWER_MS + 1):
            try:
                found = sorted({one.address for one in self.read(())})
            except OSError as error:
                raise SettingsError(f"{error}; check the address, and that the bridge runs") from error
            if found:
                return found
        raise SettingsError(f"{self.address} sends no train")

    def close(self) -> None:
        """Let go of the connection."""
        if self._socket is not None:
            self._socket.close(linger=0)
            self._socket = None


def _readings(parts: Sequence[bytes]) -> Iterator[Reading]:
    """The values of a train: pairs of a header and its data (protocol 2), or one mapping of all (protocol 1)."""
    import msgpack

    if len(parts) == 1:
        for source, values in msgpack.unpackb(parts[0], raw=False).items():
            about = values.get("metadata", {})
            yield from _values(source, {key: one for key, one in values.items() if key != "metadata"}, about)
        return
    metadata: dict[str, Mapping[str, Any]] = {}
    for header, content in zip(parts[::2], parts[1::2], strict=True):
        about = msgpack.unpackb(header, raw=False)
        source = about["source"]
        if about["content"] == "msgpack":
            metadata[source] = about.get("metadata", {})
            yield from _values(source, msgpack.unpackb(content, raw=False), metadata[source])
        elif about["content"] == "array":
            array = np.frombuffer(content, about["dtype"]).reshape(about["shape"])
            yield from _values(source, {about["path"]: array}, metadata.get(source, {}))


def _values(source: str, values: Mapping[str, Any], about: Mapping[str, Any]) -> Iterator[Reading]:
    train = int(about.get("timestamp.tid", 0))
    seconds, attoseconds = int(about.get("timestamp.sec", 0)), int(about.get("timestamp.frac", 0))
    stamp = seconds * 1_000_000_000 + attoseconds // 1_000_000_000 if seconds else 0
    if not stamp and about.get("timestamp"):
        stamp = round(float(about["timestamp"]) * 1e6) * 1000
    if max(abs(train), abs(stamp)) > LARGEST:
        raise ValueError("a number of a train or a time that is too large")
    for key, given in values.items():
        numbers = np.asarray(given) if isinstance(given, int | float | list | np.ndarray) else np.empty(0)
        if numbers.dtype.kind not in "biuf" or numbers.ndim > 1 or not 0 < numbers.size <= LONGEST:
            continue
        value = numbers.astype(np.float64) if numbers.ndim else float(numbers)
        yield Reading(f"{source}/{key.removesuffix('.value')}", train, stamp, value)


class KaraboSource(StreamSource):
    """Trains of a Karabo bridge: karabo-bridge://HOST:PORT, with ?select=*XGM*."""

    tag_words = "updates are joined by the number of the train"

    def __init__(self, url: str, expected: Schema | None = None) -> None:
        settings = StreamSettings.of_url(url)
        bridge = KaraboBridge(f"tcp://{settings.server.partition('://')[2]}")
        super().__init__(settings, Polled(bridge, bridge.addresses), expected)
