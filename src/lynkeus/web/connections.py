"""Connections of strangers: how many of one address, and how long the server waits for the rest of a request.

Whoever opens connections and sends nothing, or a byte a minute, or reads nothing of the answer, is cut off; when all
places are taken, the one that has waited longest without a whole request makes room for the next.
"""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Callable
from dataclasses import dataclass, field

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

HEADERS_S = 10.0  # from the first byte, or the opening of a connection, to the end of the headers
BODY_S = 20.0  # for the body of a form
READING_S = 30.0  # in which a client takes some of the answer that waits for it
SPARE_FILES = 256  # of the process: for the store and pictures, and for connections that are just being refused
FULL = b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 10\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
LATE = b"HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"


def network_of(host: str) -> str:
    """What counts as one address: an IPv4 address, or the /64 of an IPv6 address, which one person has whole."""
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return host
    if address.version == 4:
        return str(address)
    mapped = getattr(address, "ipv4_mapped", None)
    return str(mapped or ipaddress.ip_network((address, 64), strict=False))


def _most() -> int:
    """How many connections the files that this process may open allow."""
    try:
        import resource
    except ImportError:
        return 400
    return max(min(resource.getrlimit(resource.RLIMIT_NOFILE)[0] - SPARE_FILES, 1000), 32)


@dataclass
class Places:
    """The connections of one server, the oldest first: at most `total`, and `each` of one address."""

    total: int = field(default_factory=_most)
    each: int = 0
    headers_s: float = HEADERS_S
    body_s: float = BODY_S
    reading_s: float = READING_S
    stopping: Callable[[], bool] = bool  # whether the server is about to end: then nobody is let in any more
    taken: dict[Patient, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.each = self.each or min(400, max(self.total // 2, 16))

    def take(self, one: Patient, address: str) -> bool:
        """Take a place; where there is none left, the longest waiting connection has to leave. False: all are busy."""
        mine = [other for other, of in self.taken.items() if of == address]
        if len(mine) >= self.each and not self._make_room(mine):
            return False
        if len(self.taken) >= self.total and not self._make_room(list(self.taken)):
            return False
        self.taken[one] = address
        return True

    def leave(self, one: Patient) -> None:
        """Give the place back."""
        self.taken.pop(one, None)

    def _make_room(self, among: list[Patient]) -> bool:
        waiting = next((other for other in among if other.is_waiting), None)
        if waiting is None:
            return False
        self.leave(waiting)
        waiting.cut_off(b"")
        return True

    def protocol(self) -> type[Patient]:
        """The protocol for uvicorn, whose connections take these places."""
        return type("PatientHere", (Patient,), {"places": self})


class Patient(H11Protocol):
    """uvicorn's HTTP/1.1, with an end to its patience."""

    places: Places
    _deadline: asyncio.TimerHandle | None = None
    _unread: asyncio.TimerHandle | None = None

    @property
    def is_waiting(self) -> bool:
        """Whether there is no whole request that is being answered."""
        busy = self.cycle is not None and not self.cycle.response_complete
        return not busy or self.conn.their_state is h11.SEND_BODY

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take a place, or be refused."""
        super().connection_made(transport)
        # One that was accepted while the server ended would keep it waiting: nobody closes it any more.
        if self.places.stopping() or not self.places.take(self, network_of(self.client[0] if self.client else "")):
            self.cut_off(FULL)
            return
        self._wait(self.places.headers_s)

    def connection_lost(self, exc: Exception | None) -> None:
        """Give the place back."""
        self.places.leave(self)
        self._stop_waiting()
        self._stop_unread()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Go on reading; what is not whole by its time never will be."""
        if self.transport.is_closing():
            return
        had_body = self.conn.their_state is h11.SEND_BODY
        super().data_received(data)
        if not self.is_waiting:
            self._stop_waiting()
        elif self.conn.their_state is h11.SEND_BODY and not had_body:
            self._stop_waiting()
            self._wait(self.places.body_s)
        elif self._deadline is None:
            self._wait(self.places.headers_s)

    def pause_writing(self) -> None:
        """Stop writing to who does not read, for a while."""
        super().pause_writing()
        self._stop_unread()
        self._unread = self.loop.call_later(self.places.reading_s, self.transport.abort)

    def resume_writing(self) -> None:
        """Go on."""
        self._stop_unread()
        super().resume_writing()

    def cut_off(self, answer: bytes) -> None:
        """End the connection, with a word where it is of use."""
        self._stop_waiting()
        if answer:
            self.transport.write(answer)
        self.transport.close()
        if self.cycle is not None and not self.cycle.response_complete:
            self.transport.abort()

    def _stop_waiting(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _stop_unread(self) -> None:
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None

    def _wait(self, seconds: float) -> None:
        self._deadline = self.loop.call_later(seconds, self.cut_off, LATE)
