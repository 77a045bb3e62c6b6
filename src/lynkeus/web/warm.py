"""Warm: a page is made once before anybody asks for it, so that the first visitor does not wait for what is loaded,
compiled and connected on demand, which takes as long as several pages do."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

SECONDS = 1.0  # at most that a server waits for it
HOST = "localhost"


def warm(app: Callable[..., Any], *paths: str) -> None:
    """Ask an application for pages in a thread of its own, and wait for them a short while. What goes wrong is said to
    the visitor who asks for the page."""

    def ask() -> None:
        with suppress(Exception):
            for path in paths:
                asyncio.run(_asked(app, path))

    thread = threading.Thread(target=ask, name="warm", daemon=True)
    thread.start()
    thread.join(SECONDS)


async def _asked(app: Callable[..., Any], path: str) -> None:
    said = iter([{"type": "http.request", "body": b"", "more_body": False}])

    async def receive() -> dict[str, Any]:
        for message in said:
            return message
        await asyncio.sleep(SECONDS)  # who waits for the visitor to leave must not ask again and again
        return {"type": "http.disconnect"}

    async def send(_: dict[str, Any]) -> None:
        pass  # nobody reads it

    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "GET", "scheme": "http",
        "path": path, "raw_path": path.encode(), "query_string": b"", "root_path": "", "client": (HOST, 0),
        "server": (HOST, 80), "headers": [(b"host", HOST.encode())],
    }  # fmt: skip
    await app(scope, receive, send)
