"""Tango by pytango: attributes of devices, asked at the pace of the samples, or sent by their devices as events.

A device is asked by a thread of its own, so that one that does not answer delays no other.
"""

from __future__ import annotations

import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

import numpy as np

from lynkeus.core.batch import Schema
from lynkeus.core.errors import SettingsError
from lynkeus.core.extras import needing
from lynkeus.files.damaged import in_short
from lynkeus.sources.streams.camera import CameraSource
from lynkeus.sources.streams.frames import Frame
from lynkeus.sources.streams.settings import StreamSettings
from lynkeus.sources.streams.update import DISCONNECTED, INVALID, Update

RATE_HZ = 10.0  # at which devices are asked where nobody says another
MOST_DEVICES = 256  # each has a thread
ANSWER_MS = 1500
AGAIN_S = (0.5, 2.0)  # between two tries of a device that does not answer
EVENTS = {"change": "CHANGE_EVENT", "periodic": "PERIODIC_EVENT", "archive": "ARCHIVE_EVENT"}
FAR_NS = 2**31 * 1_000_000_000  # 2038, with which the seconds of Tango end
NO_DATABASE = "#dbase=no"
Put = Callable[[Update], None]


class TangoClient:
    """See Transport. Devices are found in the database that TANGO_HOST names, or at `settings.server`: HOST:PORT of a
    database, or of a device server without one, then followed by #dbase=no. `counts` says how often a device answered
    too slowly to be asked at its time."""

    remedy = "check the names, and the database: server = 'HOST:PORT', or TANGO_HOST"

    def __init__(self, settings: StreamSettings, rate_hz: float = RATE_HZ) -> None:
        with needing("tango://", "tango"):
            import tango  # noqa: F401
        self.settings, self.period_s = settings, 1.0 / rate_hz
        self.tell: Callable[[str], None] = lambda line: None
        self.counts: Counter[str] = Counter()
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []
        if settings.events not in ("", *EVENTS):
            raise SettingsError(f"{settings.where}: events must be one of {', '.join(EVENTS)}, got {settings.events!r}")
        self._devices([one.address for one in settings.channels])

    def _devices(self, addresses: Sequence[str]) -> dict[str, dict[str, int]]:
        """Return device -> attribute -> number of the channel. Raises SettingsError for a name that is none."""
        server, _, without = self.settings.server.partition("#")
        found: dict[str, dict[str, int]] = {}
        for number, address in enumerate(addresses):
            name, _, own = address.removeprefix("tango://").partition("#")
            *before, domain, family, member, attribute = ["", "", "", *name.split("/")]
            host = "".join(before) or server
            if not all((domain, family, member, attribute)) or len([one for one in before if one]) > 1:
                raise SettingsError(
                    f"{self.settings.where}: {address} is no attribute of Tango; write domain/family/member/attribute"
                )
            device = f"{domain}/{family}/{member}"
            end = f"#{own or without}" if own or without else ""
            device = f"tango://{host}/{device}{end}" if host else device
            found.setdefault(device, {})[attribute] = number
        if len(found) > MOST_DEVICES:
            raise SettingsError(
                f"{self.settings.where}: {len(found)} devices are more than {MOST_DEVICES}; use several"
            )
        return found

    def begin(self, addresses: tuple[str, ...], put: Put) -> None:
        """Ask all devices from now on, or listen to them."""
        self._stop.clear()
        for device, attributes in self._devices(addresses).items():
            thread = threading.Thread(target=self._follow, args=(device, attributes, put), daemon=True)
            thread.start()
            self._threads.append(thread)

    def _follow(self, device: str, attributes: Mapping[str, int], put: Put) -> None:
        import tango

        with tango.EnsureOmniThread():
            wait_s = AGAIN_S[0]
            while not self._stop.is_set():
                try:
                    proxy = tango.DeviceProxy(device)
                    proxy.set_timeout_millis(ANSWER_MS)
                    proxy.ping()
                    wait_s = AGAIN_S[0]
                    self._ask(proxy, attributes, put)
                except tango.DevFailed as error:
                    _gone(attributes.values(), put, _words(error))
                except Exception as error:  # of a device that answers as none should: the others go on
                    _gone(attributes.values(), put, in_short(error))
                self._stop.wait(wait_s)
                wait_s = min(2 * wait_s, AGAIN_S[1])

    def _ask(self, proxy: Any, attributes: Mapping[str, int], put: Put) -> None:
        """Ask for what does not come by itself, until the device is lost; it is said to live twice a second where
        all comes by itself."""
        asked = self._subscribed(proxy, attributes, put) if self.settings.events else dict(attributes)
        names, stamps = list(asked), dict.fromkeys(asked, -1)
        period_s = self.period_s if names else max(self.period_s, 0.5)
        next_s = time.monotonic()
        while not self._stop.is_set():
            if names:
                for one in proxy.read_attributes(names):
                    name = _named(one.name, asked)
                    update = _update(asked[name], one)
                    # A stamp that does not move says that the value is the last one, where there is a clock at all.
                    if update.value is None or not 0 < update.stamp_ns < FAR_NS or update.stamp_ns != stamps[name]:
                        stamps[name] = update.stamp_ns
                        put(update)
            else:
                proxy.ping()
            next_s += period_s
            late = time.monotonic() - next_s
            if late > period_s:
                missed = int(late // period_s)
                self.counts["times that a device answered too slowly"] += missed
                next_s += missed * period_s
            self._stop.wait(max(0.0, next_s - time.monotonic()))

    def _subscribed(self, proxy: Any, attributes: Mapping[str, int], put: Put) -> dict[str, int]:
        """Listen to events; return the attributes that send none."""
        import tango

        kind = getattr(tango.EventType, EVENTS[self.settings.events])
        asked = {}
        for name, number in attributes.items():
            try:
                proxy.subscribe_event(name, kind, _hearing(number, put))
            except tango.DevFailed as error:
                asked[name] = number
                self.tell(
                    f"{name} of {proxy.dev_name()} sends no {self.settings.events} events ({_words(error)}); asked"
                )
        return asked

    def again(self, channels: Sequence[int]) -> None:
        """Nothing to do: who is lost is asked again anyway."""

    def close(self) -> None:
        """Stop asking."""
        self._stop.set()
        for thread in self._threads:
            thread.join(2.0)
        self._threads.clear()


def _gone(channels: Any, put: Put, why: str) -> None:
    for number in channels:
        put(Update(number, 0, 0, None, 0, time.monotonic_ns(), f"{DISCONNECTED} ({why})" if why else DISCONNECTED))


def _named(name: str, asked: Mapping[str, int]) -> str:
    """Return the name under which an attribute was asked for: Tango cares for no capitals."""
    return name if name in asked else next(one for one in asked if one.lower() == name.lower())


def _hearing(number: int, put: Put) -> Callable[[Any], None]:
    def hear(event: Any) -> None:
        if event.err:
            _gone([number], put, event.errors[0].reason if event.errors else "")
        else:
            put(_update(number, event.attr_value))

    return hear


def _update(number: int, read: Any) -> Update:
    """Return what was read of an attribute as an update; INVALID where its quality says so."""
    import tango

    now = time.monotonic_ns()
    if read.has_failed:
        return Update(number, 0, 0, None, 0, now, f"cannot be read ({_first_line(read.get_err_stack()[0].desc)})")
    stamp = read.time.tv_sec * 1_000_000_000 + read.time.tv_usec * 1000
    invalid = read.quality == tango.AttrQuality.ATTR_INVALID
    value = read.value
    if invalid and value is None:
        value = float("nan") if read.data_format == tango.AttrDataFormat.SCALAR else np.empty(0)
    elif isinstance(value, np.ndarray) and value.ndim == 2:
        value = Frame(value[None]) if value.dtype.kind in "uif" and value.size else ""
    elif isinstance(value, bool | int | float | np.number | np.bool_):
        value = float(value)
    elif value is None:
        value = ""  # an empty spectrum, or an encoded value: of another type than numbers
    return Update(number, stamp, 0, value, INVALID if invalid else 0, now)


def _first_line(text: str) -> str:
    return (str(text).strip().splitlines() or [""])[0]


def _words(error: Any) -> str:
    """Return the first reason of a failure, in its own words."""
    first = error.args[0] if getattr(error, "args", None) else error
    text = _first_line(getattr(first, "desc", first))
    return "no answer" if "CORBA system exception" in text else text


class TangoSource(CameraSource):
    """Attributes of Tango: tango://LIST.toml, tango://domain/family/member/attribute,... or
    tango://HOST:PORT/domain/family/member/attribute,...; #dbase=no after them for a server without a database. Where
    the only one is an image, its frames."""

    def __init__(self, url: str, expected: Schema | None = None) -> None:
        settings = StreamSettings.of_url(_plain(url))
        rate = settings.rate_hz or (expected.sample_rate_hz if expected else None) or RATE_HZ
        super().__init__(settings, TangoClient(settings, rate), expected)


def _plain(url: str) -> str:
    """Return the same address with its host as an option."""
    names, question, query = url.removeprefix("tango://").partition("?")
    without = NO_DATABASE if NO_DATABASE in names else ""
    names = names.replace(NO_DATABASE, "")
    found = re.match(r"([^/,]+:\d+)/", names)
    if found is None:
        return f"tango://{names}{question}{query}"
    more = f"&{query}" if query else ""
    with suppress(ValueError):
        names = names[found.end() :]
    return f"tango://{names}?server={found[1]}{without}{more}"
