"""What keeps the pages safe: headers, who may post, and the token that verdicts need beyond localhost."""

from __future__ import annotations

import hashlib
import hmac
import math
from urllib.parse import urlsplit

from fastapi import HTTPException, Request
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from lynkeus.web.connections import network_of
from lynkeus.web.tries import Tries

COOKIE = "lynkeus_session"
LONGEST_POST = 16_384  # bytes
LONG_POSTS = {"/api/advice": 1 << 26, "/api/decisions": 1 << 22}  # of those who may post there
LOCAL_HOSTS = ("localhost", "127.0.0.1", "[::1]", "::1")
_POLICY = (
    "default-src 'self'; script-src 'self'; style-src {styles}; img-src 'self' data:; object-src 'none'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
POLICY = _POLICY.format(styles="'self'")
PLOT_POLICY = _POLICY.format(styles="'self' 'unsafe-inline'")  # plotly writes style attributes; scripts stay strict
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",  # stricter, and forms would post with Origin: null
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}


def is_local(host: str) -> bool:
    """Return whether a server bound to this host is reachable from this machine only."""
    return host in LOCAL_HOSTS


class Guard:
    """ASGI middleware: no POST from other sites or of great length, and our headers on every answer."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on or refuse it; add headers to whatever goes back."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(HEADERS)
                headers.setdefault("Content-Security-Policy", POLICY)
                headers.setdefault("Cache-Control", "no-cache" if scope["path"].startswith("/static") else "no-store")
            await send(message)

        refusal = _refusal(scope) if scope["method"] == "POST" else None
        if "\0" in scope["path"] or b"%00" in scope.get("query_string", b""):
            refusal = PlainTextResponse("refused: an address has no NUL in it", 400)
        await (refusal or self.app)(scope, receive, send_with_headers)


def _refusal(scope: Scope) -> Response | None:
    headers = Headers(scope=scope)
    if _foreign(headers):
        return PlainTextResponse("refused: this form was sent from another site", 403)
    # A body without a length could go on for ever, and is read before any route sees it.
    length = headers.get("content-length", "")
    if not length.isdigit():
        return PlainTextResponse("refused: a POST must say its length", 411)
    if int(length) <= LONGEST_POST:
        return None
    if int(length) > LONG_POSTS.get(scope["path"], LONGEST_POST):
        return PlainTextResponse("refused: too long", 413)
    try:  # before it is read: only who has the token may send so much
        request = Request(scope)
        require_token(request, request.app.state.site.token, "a long one")
    except HTTPException as error:
        return PlainTextResponse(f"refused: {error.detail}", error.status_code, dict(error.headers or {}))
    return None


def _foreign(headers: Headers) -> bool:
    """Return whether a page of another site made a browser send this (cross-site request forgery).

    Browsers always say where a POST comes from; programs such as curl say nothing and cannot be tricked.
    """
    origin = headers.get("origin")
    if origin is not None:
        return urlsplit(origin).netloc.lower() != headers.get("host", "").lower()
    return headers.get("sec-fetch-site", "none") not in ("same-origin", "none")


def session_of(token: str) -> str:
    """Return the content of the cookie: it proves that the token was known, and does not hold it."""
    return hmac.new(token.encode(), b"lynkeus session", hashlib.sha256).hexdigest()


def same(given: str, expected: str) -> bool:
    """Compare in constant time."""
    return hmac.compare_digest(given.encode("utf-8", "replace"), expected.encode())


def may_post(request: Request, token: str | None) -> bool:
    """Whether this request carries the token (as a bearer or by its cookie), where one is needed."""
    if token is None or same(_bearer(request), token):
        return True
    return same(request.cookies.get(COOKIE, ""), session_of(token))


def require_token(request: Request, token: str | None, what: str) -> None:
    """Refuse a request without the token: 401; 429 while its address has to wait after many wrong ones."""
    if token is None or same(request.cookies.get(COOKIE, ""), session_of(token)):
        return
    given = _bearer(request)
    if not given:
        raise HTTPException(401, f"{what} needs the server's token: sign in first", {"WWW-Authenticate": "Bearer"})
    check_token(request, given, token)


def check_token(request: Request, given: str, token: str) -> None:
    """Refuse a wrong token: 401; and any token while its address has to wait after many wrong ones: 429."""
    tries: Tries = request.app.state.tries
    address = network_of(request.client.host if request.client else "")
    wait_s = tries.wait_s(address)
    if wait_s > 0:
        seconds = math.ceil(wait_s)
        raise HTTPException(429, f"too many wrong tokens: try again in {seconds} s", {"Retry-After": str(seconds)})
    if not same(given, token):
        tries.wrong(address)
        raise HTTPException(401, "that is not the server's token", {"WWW-Authenticate": "Bearer"})
    tries.right(address)


def _bearer(request: Request) -> str:
    scheme, _, bearer = request.headers.get("authorization", "").partition(" ")
    return bearer.strip() if scheme.lower() == "bearer" else ""
