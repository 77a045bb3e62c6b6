"""EPICS PVAccess by p4p: NTScalar, NTScalarArray, NTTable and NTNDArray, monitored with flow control, found again when
lost."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from lynkeus.core.errors import SettingsError
from lynkeus.core.extras import needing
from lynkeus.sources.streams.frames import about, frame_of, is_frame
from lynkeus.sources.streams.settings import StreamSettings
from lynkeus.sources.streams.update import DISCONNECTED, Update

# With pipeline the server waits for our acknowledgement instead of running into a full socket; it keeps so many.
REQUEST = "field()record[queueSize=64,pipeline=true]"


class PvaClient:
    """Monitors process variables; see Transport. Servers are found as the environment says (EPICS_PVA_ADDR_LIST, ...),
    or at `settings.server`."""

    def __init__(self, settings: StreamSettings) -> None:
        with needing("epics+pva://", "live"):
            import p4p.client.thread  # noqa: F401
        self.settings = settings
        self._put: Callable[[Update], None] = lambda update: None
        self._addresses: tuple[str, ...] = ()
        self._listening: dict[int, tuple[Any, Any]] = {}  # channel -> subscription, and the context that it is of

    def begin(self, addresses: tuple[str, ...], put: Callable[[Update], None]) -> None:
        """Subscribe to all."""
        from p4p import _p4p

        logging.getLogger("p4p").setLevel(logging.CRITICAL)  # what goes wrong is told in our words
        _p4p.logger_level_set("pvxs.*", _p4p.logLevelFatal)
        self._addresses, self._put = addresses, put
        self._subscribe(range(len(addresses)))

    def _subscribe(self, channels: Iterable[int]) -> None:
        from p4p.client.thread import Context

        context = Context("pva", conf=self._environment(), useenv=False, nt=False)
        for number in channels:
            took = _taking(number, self._put)
            found = context.monitor(self._addresses[number], took, request=REQUEST, notify_disconnect=True)
            self._listening[number] = (found, context)

    def again(self, channels: Sequence[int]) -> None:
        """Subscribe to lost channels anew: the library looks for a server that it knew every ten seconds only."""
        before = {id(self._listening[number][1]): self._listening[number][1] for number in channels}
        for number in channels:
            self._listening.pop(number)[0].close()
        used = {id(context) for _, context in self._listening.values()}
        for key, context in before.items():
            if key not in used:
                context.close()
        self._subscribe(channels)

    def _environment(self) -> dict[str, str]:
        found = {name: text for name, text in os.environ.items() if name.startswith("EPICS_PVA_")}
        found |= {name: str(text) for name, text in self.settings.environment.items()}
        if self.settings.server:
            host, _, port = self.settings.server.rpartition(":")
            if not host or not port.isdecimal():
                raise SettingsError(f"{self.settings.where}: server must be HOST:PORT, got {self.settings.server!r}")
            found |= {
                "EPICS_PVA_NAME_SERVERS": f"{host}:{port}", "EPICS_PVA_ADDR_LIST": "",
                "EPICS_PVA_AUTO_ADDR_LIST": "NO",
            }  # fmt: skip
        return found

    def close(self) -> None:
        """End all subscriptions."""
        contexts = {id(context): context for _, context in self._listening.values()}
        for one, _ in self._listening.values():
            one.close()
        self._listening.clear()
        for context in contexts.values():
            context.close()


def _taking(number: int, put: Callable[[Update], None]) -> Callable[[Any], None]:
    def take(value: Any) -> None:
        now = time.monotonic_ns()
        if isinstance(value, Exception):
            kind = type(value).__name__
            says = {"Disconnected": DISCONNECTED, "Finished": "was ended by its server"}.get(kind, str(value))
            put(Update(number, 0, 0, None, 0, now, says))
            return
        if is_frame(value):
            put(_of_frame(number, value, now))
            return
        try:
            stamp, tag, severity = _annotations(value)
            number_or_vector = value["value"]
        except (KeyError, TypeError):
            put(Update(number, 0, 0, None, 0, now, f"is a {value.getID() or 'structure'} without a value to score"))
            return
        parts: tuple[str, ...] = ()
        if hasattr(number_or_vector, "keys"):
            number_or_vector, parts = _of_table(number_or_vector)
        put(Update(number, stamp, tag, number_or_vector, severity, now, "", parts))

    return take


def _of_frame(number: int, value: Any, now_ns: int) -> Update:
    found = frame_of(value)
    if isinstance(found, str):
        return Update(number, 0, 0, None, 0, now_ns, found)
    stamp, unique, severity = about(value)
    return Update(number, stamp, unique, found, severity, now_ns)


def _of_table(columns: Any) -> tuple[Any, tuple[str, ...]]:
    """Return the numbers of an NTTable, column after column, and what each is called: /NAME, or /NAME[0], /NAME[1], ...
    where there are several rows. Columns of text are left out."""
    found = [(name, np.asarray(columns[name])) for name in columns.keys()]  # noqa: SIM118 - no mapping
    kept = [(name, column) for name, column in found if column.ndim == 1 and column.dtype.kind in "biuf"]
    if not kept:
        return "", ()
    parts = [f"/{name}" if len(column) == 1 else f"/{name}[{k}]" for name, column in kept for k in range(len(column))]
    return np.concatenate([column.astype(np.float64) for _, column in kept]), tuple(parts)


def _annotations(value: Any) -> tuple[int, int, int]:
    """Return the stamp (ns since 1970, 0: none), the number of the pulse (0: none) and the severity of the alarm."""
    try:  # of nearly all; asking first whether a field is there costs as much as reading it
        seconds, nanoseconds = value["timeStamp.secondsPastEpoch"], value["timeStamp.nanoseconds"]
        tag, severity = value["timeStamp.userTag"], value["alarm.severity"]
    except KeyError:
        seconds, nanoseconds, tag, severity = (
            value[name] if value.has(name) else 0
            for name in ("timeStamp.secondsPastEpoch", "timeStamp.nanoseconds", "timeStamp.userTag", "alarm.severity")
        )
    stamp = int(seconds) * 1_000_000_000 + int(nanoseconds) if seconds > 0 else 0
    return stamp, int(tag), int(severity)


def as_numbers(value: Any) -> Any:
    """Return a number, or a vector (n,) of float64; None for what is neither."""
    if isinstance(value, bool | int | float):
        return float(value)
    if isinstance(value, np.ndarray) and value.ndim == 1 and value.dtype.kind in "biuf":
        return value.astype(np.float64)
    return None
