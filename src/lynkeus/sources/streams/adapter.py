"""Adapter: a control system without a client of ours, by a class of one method; and DOOCS as a file that grows.

A site that has a client library writes `read`, which asks for what is new, and a source of three lines around it. DOOCS
has no client in the package index, so what it speaks is shown by a file: one line for each value, `ADDRESS MACROPULSE
STAMP VALUE [VALUE ...]`, with the number of the macropulse and the time stamp in seconds, as its servers give them.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np

from lynkeus.core.batch import Schema
from lynkeus.core.errors import SettingsError
from lynkeus.files.damaged import in_short
from lynkeus.sources.streams.settings import StreamSettings
from lynkeus.sources.streams.source import StreamSource
from lynkeus.sources.streams.update import DISCONNECTED, INVALID, Update

PAUSE_S = 0.02  # between two questions that brought nothing
AGAIN_S = (0.5, 10.0)


class Reading(NamedTuple):
    """A value of an address: the number of its pulse (0: none), the device time in ns (0: none), a number or a vector,
    and whether the device says that it is valid."""

    address: str
    pulse: int
    stamp_ns: int
    value: float | np.ndarray
    valid: bool = True


class Adapter(Protocol):
    """`read` returns what is new of these addresses, at once or within a second; it raises OSError while the control
    system cannot be reached, and is then asked again, ever more seldom."""

    def read(self, addresses: Sequence[str]) -> Iterable[Reading]: ...


class Polled:
    """An adapter as a Transport: a thread asks it, and says when it is lost."""

    stale_first = False

    def __init__(self, adapter: Adapter, names: Callable[[], list[str]] | None = None) -> None:
        self.adapter, self.names = adapter, names
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def discover(self, _seconds: float) -> list[str]:
        """Return the names of what there is, where the adapter can say it."""
        return self.names() if self.names is not None else []

    def begin(self, addresses: tuple[str, ...], put: Callable[[Update], None]) -> None:
        """Ask from now on."""
        self._stop.clear()
        self._thread = threading.Thread(target=self._ask, args=(addresses, put), daemon=True)
        self._thread.start()

    def _ask(self, addresses: tuple[str, ...], put: Callable[[Update], None]) -> None:
        try:
            self._work(addresses, put)
        finally:
            if hasattr(self.adapter, "close"):  # in the thread that asked: clients are not shared by threads
                self.adapter.close()

    def _work(self, addresses: tuple[str, ...], put: Callable[[Update], None]) -> None:
        numbers, wait_s = {name: number for number, name in enumerate(addresses)}, AGAIN_S[0]
        while not self._stop.is_set():
            try:
                found = list(self.adapter.read(addresses))
            except Exception as error:  # of a library of the site: without this thread nobody would ask again
                for number in numbers.values():
                    why = f"{DISCONNECTED} ({getattr(error, 'strerror', None) or in_short(error)})"
                    put(Update(number, 0, 0, None, 0, time.monotonic_ns(), why))
                self._stop.wait(wait_s * random.uniform(0.8, 1.2))
                wait_s = min(2 * wait_s, AGAIN_S[1])
                continue
            wait_s, now = AGAIN_S[0], time.monotonic_ns()
            for one in found:
                if one.address in numbers:
                    severity = 0 if one.valid else INVALID
                    put(Update(numbers[one.address], one.stamp_ns, one.pulse, one.value, severity, now))
            if not found:
                self._stop.wait(PAUSE_S)

    def again(self, channels: Sequence[int]) -> None:
        """Nothing to do: who is lost is asked again anyway."""

    def close(self) -> None:
        """Stop asking."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(2.0)
        elif hasattr(self.adapter, "close"):  # asked for its names only
            self.adapter.close()


class GrowingFile:
    """An Adapter: lines that are appended to a file, from its end on."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._place: int | None = None
        self._rest = ""

    def read(self, addresses: Sequence[str]) -> list[Reading]:
        """Return what was appended since; a line that makes no sense is an invalid value."""
        size = self.path.stat().st_size
        if self._place is None or size < self._place:  # begun, or written anew
            self._place = size if self._place is None else 0
        with self.path.open(encoding="utf-8", errors="replace") as file:
            file.seek(self._place)
            text = self._rest + file.read()
            self._place = file.tell()
        *lines, self._rest = text.split("\n")
        return [_reading(line) for line in lines if line.strip()]

    def addresses(self) -> list[str]:
        """Return the addresses that its lines name, in order of their names."""
        try:
            text = self.path.read_text(encoding="utf-8", errors="replace")
        except OSError as error:
            raise SettingsError(f"{self.path}: cannot be read ({error.strerror}); check the path") from error
        return sorted({line.split(maxsplit=1)[0] for line in text.splitlines() if line.strip()})


def _reading(line: str) -> Reading:
    address, *rest = line.split()
    try:
        values = [float(text) for text in rest[2:]]
        value: float | np.ndarray = values[0] if len(values) == 1 else np.array(values)
        return Reading(address, int(rest[0]), round(float(rest[1]) * 1e6) * 1000, value)
    except (ValueError, IndexError):
        return Reading(address, 0, 0, float("nan"), False)


class FileOfDoocs(StreamSource):
    """Values as a DOOCS server gives them, from a file that grows: doocs+file://FILE?select=PATTERN."""

    def __init__(self, url: str, expected: Schema | None = None) -> None:
        name, _, query = url.partition("://")[2].partition("?")
        adapter = GrowingFile(Path(name).expanduser())
        named = ",".join(adapter.addresses())
        super().__init__(StreamSettings.of_url(f"doocs+file://{named}?{query}"), Polled(adapter), expected)
