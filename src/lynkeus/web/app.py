"""Puts pages, API and static files together, and serves them."""

from __future__ import annotations

import secrets
import signal
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from types import FrameType
from typing import TypedDict, Unpack

import uvicorn
from fastapi import FastAPI, HTTPException, Request, Response
from fastapi.exception_handlers import http_exception_handler
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, JSONResponse
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException as StarletteHTTPException
from starlette.middleware.trustedhost import TrustedHostMiddleware

from lynkeus import __version__
from lynkeus.core.errors import SettingsError, StoreError
from lynkeus.monitor.logbook import LogbookNow
from lynkeus.monitor.store import Store
from lynkeus.web import api, front, wall, work
from lynkeus.web.advice import api as advice_api
from lynkeus.web.advice import pages as advice
from lynkeus.web.advice.desk import Desk
from lynkeus.web.alarms import one, pages, standing
from lynkeus.web.connections import SPARE_FILES, Places
from lynkeus.web.front import live_of
from lynkeus.web.guard import LOCAL_HOSTS, Guard, is_local
from lynkeus.web.images import pages as inspect
from lynkeus.web.images.scans import read_parts
from lynkeus.web.images.shown import ShownImages
from lynkeus.web.pads import pages as pad_pages
from lynkeus.web.pads.retrain import Retrain
from lynkeus.web.pads.shown import PadsNow
from lynkeus.web.runs import pages as runs
from lynkeus.web.site import HERE, Advising, Site, Tables, Words, templates
from lynkeus.web.tries import Tries
from lynkeus.web.warm import warm


class More(TypedDict, total=False):
    """What a server shows besides: see create_app."""

    pads: Path | None
    advise: Advising | None
    logbook: str


def create_app(
    store_url: str,
    token: str | None = None,
    reports: Path | None = None,
    hosts: tuple[str, ...] = LOCAL_HOSTS,
    scans: Sequence[Path] = (),
    words: Words | None = None,
    **more: Unpack[More],
) -> FastAPI:
    """The web application over one store.

    `token`: needed for verdicts where given. `reports`: a commissioning table (Parquet) or a folder of them.
    `hosts`: names under which the server answers ("*": any); anything else is refused, which stops DNS rebinding.
    `scans`: scores files of image folders, or folders of such files; they are read once, here. Images that
    `lynkeus watch` judged are shown from the store, as they come. `words`: of the place. `pads`: a table of pads.
    `advise`: models for failed tasks. `logbook`: what is shown beside alarms. Raises ModelError, SettingsError,
    SourceError where one of them is of something else.
    """
    app = FastAPI(
        title="Lynkeus", version=__version__, openapi_url="/api/v1/openapi.json", docs_url=None, redoc_url=None
    )
    given = read_parts(scans) if scans else []
    written = more.get("logbook")
    logbook = LogbookNow(written) if written else None
    store = Store(store_url)
    app.state.site = Site(store, token, reports, ShownImages(store, given), words or Words(), logbook=logbook)
    app.state.live = live_of(app.state.site)
    app.state.tries = Tries()
    pads, advise = more.get("pads"), more.get("advise")
    app.state.pads = PadsNow(pads) if pads else None
    app.state.desk = Desk.open(advise.models, store, advise.really) if advise else None
    app.state.retrain = Retrain(store_url)
    app.state.stopping = lambda: False
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=list(hosts), www_redirect=False)
    app.add_middleware(Guard)
    own = (advice_api.router, advice.router) if advise else ()
    shown = (pages.router, one.router, standing.router, inspect.router, runs.router, pad_pages.page, pad_pages.router)
    for router in (api.router, front.router, wall.router, work.router, *shown, *own):
        app.include_router(router)
    app.add_api_route("/static/plotly.min.js", _plotly, include_in_schema=False)
    app.mount("/static", StaticFiles(directory=HERE / "static"))
    app.add_exception_handler(StarletteHTTPException, _error_page)
    app.add_exception_handler(RequestValidationError, _bad_request_page)
    app.add_exception_handler(StoreError, _store_error_page)
    for unfit in (OverflowError, UnicodeError):  # a number or text that no store can hold, where nothing else said so
        app.add_exception_handler(unfit, _unfit_page)
    return app


def server_config(app: FastAPI, places: Places | None = None) -> uvicorn.Config:
    """How uvicorn serves it to strangers. What they send is no warning of ours."""
    taken = places or Places()
    taken.stopping = lambda: bool(app.state.stopping())
    # accepted at once are only so many as fit into SPARE_FILES: those that make room are closed after that
    return uvicorn.Config(
        app, log_level="error", timeout_graceful_shutdown=3, http=taken.protocol(), backlog=SPARE_FILES // 2
    )


def serve(
    store_url: str,
    host: str = "127.0.0.1",
    port: int = 8000,
    token: str | None = None,
    reports: Path | None = None,
    tables: Tables | None = None,
    words: Words | None = None,
) -> None:
    """Serve until Ctrl-C or SIGTERM, which both end it cleanly.

    Beyond localhost verdicts and labels need a token; one is made and printed where none is given.
    """
    local, shown_too = is_local(host), tables or Tables()
    if not local and token is None:
        token = secrets.token_urlsafe(24)
        print(f"Token for verdicts and labels (made for this run): {token}", flush=True)
    hosts = LOCAL_HOSTS if local else ("*",)
    more = More(pads=shown_too.pads, advise=shown_too.advise, logbook=shown_too.logbook)
    app = create_app(store_url, token, reports, hosts, shown_too.scans, words, **more)
    listening = _listen(host, port)
    server = uvicorn.Server(server_config(app))
    app.state.stopping = lambda: server.should_exit  # lets event streams end by themselves
    shown = socket.gethostname() if host in ("0.0.0.0", "::") else host
    shown = f"[{shown}]" if ":" in shown else shown
    page = "advice" if shown_too.advise else "inspect" if shown_too.scans else "pads" if shown_too.pads else ""
    if shown_too.advise:
        warm(app, f"/{page}", "/static/style.css")
    print(f"Lynkeus is at http://{shown}:{listening.getsockname()[1]}/{page} (Ctrl-C stops it)", flush=True)
    try:
        with _stopped_by_sigterm(server), suppress(KeyboardInterrupt):  # uvicorn has stopped cleanly by then
            server.run(sockets=[listening])
    finally:
        listening.close()
        app.state.live.close()
        app.state.site.store.close()


@contextmanager
def _stopped_by_sigterm(server: uvicorn.Server) -> Iterator[None]:
    """SIGTERM ends the server as Ctrl-C does, and the process with exit code 0: uvicorn would raise it once more."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(_signal: int, _frame: FrameType | None) -> None:
        server.should_exit = True

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
        listening.listen(128)  # from here on the address that is printed answers
    except (OSError, OverflowError) as error:
        listening.close()
        raise SettingsError(
            f"cannot listen at {host} port {port} ({error}): choose another --port or --host"
        ) from error
    return listening


def _plotly() -> FileResponse:
    """plotly.js out of the installed wheel: control rooms are closed networks."""
    found = find_spec("plotly")
    if found is None or not found.submodule_search_locations:
        raise HTTPException(404, "plotly is not installed")
    path = Path(found.submodule_search_locations[0]) / "package_data" / "plotly.min.js"
    return FileResponse(path, media_type="text/javascript", headers={"Cache-Control": "public, max-age=604800"})


def _page(request: Request, status: int, text: str) -> Response:
    return templates.TemplateResponse(request, "error.html", {"status": status, "text": text}, status)


async def _error_page(request: Request, error: Exception) -> Response:
    assert isinstance(error, StarletteHTTPException)
    if request.url.path.startswith(("/api/", "/static/")):
        return await http_exception_handler(request, error)
    return _page(request, error.status_code, str(error.detail))


async def _bad_request_page(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    if request.url.path.startswith("/api/"):
        # without what was sent: half a character in it could not be sent back
        told = [{key: one[key] for key in ("type", "loc", "msg")} for one in error.errors()]
        return JSONResponse({"detail": told}, 422)
    first = error.errors()[0]
    return _page(request, 422, f"{first['loc'][-1]}: {first['msg']}")


async def _unfit_page(request: Request, _error: Exception) -> Response:
    text = "the address, or what was sent, holds a number or a text that cannot be"
    if request.url.path.startswith("/api/"):
        return await http_exception_handler(request, HTTPException(422, text))
    return _page(request, 422, text)


async def _store_error_page(request: Request, error: Exception) -> Response:
    if request.url.path.startswith("/api/"):
        return await http_exception_handler(request, HTTPException(503, str(error)))
    return _page(request, 503, str(error))
