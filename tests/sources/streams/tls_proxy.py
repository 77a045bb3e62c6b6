"""TLS in front of a server that speaks none: what comes encrypted at one port goes on as it is to another."""

import asyncio
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


async def _pass_on(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    try:
        with suppress(OSError, ssl.SSLError):
            while content := await source.read(65_536):
                target.write(content)
                await target.drain()
    finally:  # also where it is cancelled at the end
        with suppress(OSError, RuntimeError):
            target.close()


@contextmanager
def tls_proxy(port: int, to_port: int, certificate: Path, key: Path) -> Iterator[None]:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    loop, ready = asyncio.new_event_loop(), threading.Event()

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        own_reader, own_writer = await asyncio.open_connection("127.0.0.1", to_port)
        try:
            await asyncio.gather(_pass_on(reader, own_writer), _pass_on(own_reader, writer))
        finally:
            for one in (writer, own_writer):
                one.transport.abort()

    def run() -> None:
        asyncio.set_event_loop(loop)
        loop.set_exception_handler(lambda *_: None)  # handshakes that are refused are what is tested
        server = loop.run_until_complete(asyncio.start_server(take, "127.0.0.1", port, ssl=context))
        ready.set()
        loop.run_forever()
        server.close()
        for task in asyncio.all_tasks(loop):
            task.cancel()
        loop.run_until_complete(asyncio.sleep(0.05))
        loop.close()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    assert ready.wait(10.0)
    try:
        yield
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10.0)
        assert not thread.is_alive()
