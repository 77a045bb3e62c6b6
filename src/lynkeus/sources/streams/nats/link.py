"""Link: a connection to a NATS server from a thread of its own, made again with backoff whenever it is lost."""

from __future__ import annotations

import asyncio
import logging
import random
import ssl
import threading
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self
from urllib.parse import parse_qsl, unquote, urlsplit

from lynkeus.core.errors import SettingsError
from lynkeus.core.extras import needing

AGAIN_S = (0.5, 10.0)  # first wait between two tries to connect, doubled to the longest
CONNECT_S = 5.0
WRITTEN = "in a password / is written as %2F, @ as %40, : as %3A, # as %23, and a port is a number"
PORT = 4222


def scheme_of(url: str) -> str:
    """Return all that may be shown of an address that cannot be read: what is after it may be a password."""
    return f"{url.partition('://')[0]}://..."


@dataclass(frozen=True)
class NatsAddress:
    """`host`, `port`, who we are, and by whom the server is certified (`ca_file`) where it speaks TLS."""

    host: str
    port: int = PORT
    user: str = ""
    password: str = ""
    tls: bool = False
    ca_file: str = ""
    credentials_file: str = ""

    @property
    def shown(self) -> str:
        """Return it without secrets."""
        return f"{'tls' if self.tls else 'nats'}://{self.host}:{self.port}"

    @classmethod
    def of_url(cls, url: str) -> tuple[Self, str, dict[str, str]]:
        """Return the address, the subject and other options of nats://USER:PASSWORD@HOST:PORT/SUBJECT?option=value."""
        try:
            parts = urlsplit(url.replace("nats+tls://", "tls://"))
            host, port = parts.hostname, parts.port
        except ValueError as error:
            raise SettingsError(f"{scheme_of(url)}: is no address; {WRITTEN}") from error
        if not host:
            raise SettingsError(f"{url}: names no server, such as nats://127.0.0.1:4222/SUBJECT")
        options = dict(parse_qsl(parts.query, keep_blank_values=True))
        given = {name: options.pop(name, "") for name in ("ca_file", "credentials_file")}
        tls = parts.scheme == "tls" or bool(given["ca_file"])
        user, password = unquote(parts.username or ""), unquote(parts.password or "")
        return cls(host, port or PORT, user, password, tls, **given), unquote(parts.path).strip("/"), options


class NatsLink:
    """`begin` connects, and raises SettingsError where the server refuses us, or its certificate is none that we trust;
    one that is not there is waited for. `work` is awaited with each new connection. Messages that are published while
    there is none wait."""

    def __init__(
        self, address: NatsAddress, tell: Callable[[str], None], where: str,
        work: Callable[[Any], Awaitable[None]] | None = None,
    ) -> None:  # fmt: skip
        with needing("nats://", "live"):
            import nats  # noqa: F401
        self.address, self.tell, self.where, self.work = address, tell, where, work
        self.prepare: Callable[[Any], Awaitable[None]] | None = None  # before anything else, with each connection
        self.connected = False
        self.dropped = self.slow = 0  # messages: that could not be sent, that were not read in time
        self._waiting: deque[tuple[str, bytes]] = deque()
        self._first = threading.Event()
        self._refused = ""
        self._stopping = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._wake: asyncio.Event | None = None

    def begin(self) -> None:
        """Connect, or try for some seconds."""
        logging.getLogger("nats").setLevel(logging.CRITICAL)  # what goes wrong is told in our words
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), daemon=True)
        self._thread.start()
        self._first.wait(CONNECT_S + 1.0)
        if self._refused:
            self.close()
            raise SettingsError(f"{self.where}: {self._refused}")

    def publish(self, subject: str, content: bytes, most: int) -> None:
        """Send a message as soon as there is a connection; at most so many wait."""
        if len(self._waiting) >= most:
            with suppress(IndexError):
                self._waiting.popleft()
            self.dropped += 1
        self._waiting.append((subject, content))
        self._call(lambda: self._wake.set() if self._wake else None)

    def _call(self, what: Callable[[], Any]) -> None:
        if self._loop is not None:
            with suppress(RuntimeError):  # the loop has ended
                self._loop.call_soon_threadsafe(what)

    def close(self) -> None:
        """Send what waits, and disconnect."""
        self._stopping = True
        self._call(lambda: self._wake.set() if self._wake else None)
        self._thread.join(5.0)

    async def _run(self) -> None:
        self._loop, self._wake = asyncio.get_running_loop(), asyncio.Event()
        wait_s, said = AGAIN_S[0], ""
        while not self._stopping:
            try:
                client, closed = await self._connect()
            except Exception as error:
                why, refused = _reason(error, self.address)
                if refused and not self._first.is_set():
                    self._refused = why
                    self._first.set()
                    return
                if why != said:
                    self.tell(f"{self.where}: {why}; tried again until it can be reached")
                    said = why
                self._first.set()
                with suppress(asyncio.TimeoutError):
                    await asyncio.wait_for(self._stopped(), wait_s * random.uniform(0.8, 1.2))
                wait_s = min(2 * wait_s, AGAIN_S[1])
                continue
            if said:
                self.tell(f"{self.where}: connected")
            self.connected, wait_s, said = True, AGAIN_S[0], "the connection was lost"
            self._first.set()
            await self._speak(client, closed)
            self.connected = False
            if not self._stopping:
                self.tell(f"{self.where}: {said}; tried again until it can be reached")

    async def _stopped(self) -> None:
        while not self._stopping:
            await asyncio.sleep(0.05)

    async def _connect(self) -> tuple[Any, asyncio.Event]:
        from nats.aio.client import Client

        closed = asyncio.Event()

        async def is_closed() -> None:
            closed.set()

        async def quiet(error: Exception) -> None:
            if type(error).__name__ == "SlowConsumerError":
                self.slow += 1
                if self.slow == 1:
                    self.tell(
                        f"{self.where}: messages come faster than they are read; some were dropped, and are counted"
                    )

        given: dict[str, Any] = {}
        one = self.address
        if one.user:
            given |= {"user": one.user, "password": one.password} if one.password else {"token": one.user}
        if one.tls:
            given["tls"] = _trusting(one.ca_file, self.where)
        if one.credentials_file:
            given["user_credentials"] = one.credentials_file
        given |= {
            "allow_reconnect": False,
            "max_reconnect_attempts": 0,
            "connect_timeout": CONNECT_S,
            "error_cb": quiet,
        }
        given |= {"closed_cb": is_closed, "disconnected_cb": is_closed, "ping_interval": 5, "max_outstanding_pings": 2}
        client = Client()
        if one.tls:
            _only_encrypted(client, one)
        try:
            await asyncio.wait_for(client.connect(one.shown, name="lynkeus", **given), CONNECT_S)
            if self.prepare is not None:
                await self.prepare(client)
        except Exception:
            await _end(client)
            raise
        return client, closed

    async def _speak(self, client: Any, closed: asyncio.Event) -> None:
        """Work with a connection until it is lost, or we stop."""
        own: asyncio.Task[None] | None = None
        if self.work is not None:
            own = asyncio.ensure_future(self.work(client))
        assert self._wake is not None
        try:
            while not closed.is_set() and not self._stopping:
                await self._send(client)
                if own is not None and own.done():
                    own.result()
                    own = None
                self._wake.clear()
                with suppress(asyncio.TimeoutError):
                    await asyncio.wait_for(self._wake.wait(), 0.1)
            if self._stopping and not closed.is_set():
                await self._send(client)
                with suppress(Exception):
                    await asyncio.wait_for(client.flush(), 2.0)
        except Exception as error:
            if not closed.is_set():
                self.tell(f"{self.where}: {_reason(error, self.address)[0]}")
                await asyncio.sleep(AGAIN_S[0])
        finally:
            if own is not None:
                own.cancel()
                with suppress(asyncio.CancelledError, Exception):
                    await own
            await _end(client)

    async def _send(self, client: Any) -> None:
        while self._waiting:
            subject, content = self._waiting[0]
            await client.publish(subject, content)
            self._waiting.popleft()


async def _end(client: Any) -> None:
    """Close a client; the library may leave its socket open, one for each try."""
    with suppress(Exception):
        await asyncio.wait_for(client.close(), 1.0)
    if (transport := getattr(client, "_transport", None)) is not None:
        with suppress(Exception):
            transport.close()
    await asyncio.sleep(0)


def _trusting(ca_file: str, where: str) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=str(Path(ca_file).expanduser()) if ca_file else None)
    except (OSError, ssl.SSLError) as error:
        raise SettingsError(f"{where}: ca_file {ca_file} cannot be read ({error})") from error


def _only_encrypted(client: Any, address: NatsAddress) -> None:
    """Have a client refuse a server that speaks no TLS, before it says who we are: the library goes on in plain."""
    plain = client._connect_command

    def say_who() -> Any:
        if not client._server_info.get("tls_required"):
            raise SettingsError(f"{address.shown} speaks no TLS; write nats://HOST where it may be read by others")
        return plain()

    client._connect_command = say_who


def _reason(error: Exception, address: NatsAddress) -> tuple[str, bool]:
    """Return why a connection failed, in words, and whether trying again is of no use."""
    text = str(error) or type(error).__name__
    low = text.lower()
    if isinstance(error, SettingsError):
        return text, True
    if "authorization" in low or "authentication" in low:
        return f"{address.shown} refuses this user; give nats://USER:PASSWORD@HOST, or credentials_file=FILE", True
    if isinstance(error, ssl.SSLError) or "certificate" in low:
        return f"the certificate of {address.shown} is not trusted ({text}); give ca_file=FILE of who signed it", True
    if "secure" in low or "tls" in low:
        return (
            f"{address.shown} wants TLS; write tls://HOST, and ca_file=FILE where it has a certificate of its own",
            True,
        )
    if isinstance(error, OSError | asyncio.TimeoutError) or "no servers" in low:
        return f"{address.shown} cannot be reached", False
    return f"{address.shown}: {text.splitlines()[0]}", False
