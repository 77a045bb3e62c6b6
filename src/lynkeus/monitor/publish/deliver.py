"""Delivered: alarms on their way to a webhook, a logbook or Alertmanager, at least once each, in order.

The store is the queue: a row of `sink_position` says how far a sink has come, so what was not delivered when a watch
was killed is delivered by the next one. What is sent twice bears the same key.
"""

from __future__ import annotations

import base64
import random
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit, urlunsplit

import sqlalchemy as sa

from lynkeus.core import LynkeusError, SettingsError
from lynkeus.monitor.database import insert_new
from lynkeus.monitor.parts import is_told, outputs_in, outputs_of_parts, whole_of
from lynkeus.monitor.publish.forms import FORMS, Change, Request, folder_of, write_entry
from lynkeus.monitor.publish.sink import Publishing
from lynkeus.monitor.service.tables import sink_position
from lynkeus.monitor.tables import alarm_event, alarm_opened, series
from lynkeus.sources.streams.nats.link import WRITTEN, scheme_of

if TYPE_CHECKING:
    from lynkeus.monitor.watch import Watched

TIMEOUT_S = 10.0
RETRY_S = (0.5, 60.0)  # first wait, doubled to the longest
LOOK_S = 5.0  # without being called
REPEAT_S = 1800.0  # Alertmanager forgets what nobody speaks of
CLOSE_S = 3.0
REFUSED = (400, 413, 422)  # who gets it does not want this one, however often it is sent


class Delivered:
    """Sends every alarm of a monitor as it opens and as it ends, from a thread of its own; see FORMS."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.form = FORMS[url.partition("://")[0]]
        if self.form.is_file:
            self.folder = folder_of(url)
        else:
            _check_host(url)
        self.shown = _without_password(url)
        self._wake, self._stop = threading.Event(), threading.Event()
        self._seen: Any = None
        self._trouble = ""

    def begin(self, about: Publishing) -> str:
        """Start; alarms from before a sink was ever used are not sent."""
        self.about = about
        with about.store.writing() as connection:
            last = [connection.scalar(sa.select(sa.func.max(table.c.id))) or 0 for table in (alarm_opened, alarm_event)]
            row = {"sink": self.shown, "monitor": about.name, "opened_id": last[0], "event_id": last[1]}
            connection.execute(insert_new(connection, sink_position), row)
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()
        return f"alarms go to {self.shown}"

    def __call__(self, run: Watched) -> None:
        """Look for what is to be sent, if anything opened or ended."""
        now = (run.alarms, tuple((name, one.alarm.start_ns) for name, one in run.open.items()))
        if now != self._seen:
            self._seen = now
            self._wake.set()

    def close(self) -> None:
        """Send what is left, if that can be done at once, and stop."""
        self._stop.set()
        self._wake.set()
        self._thread.join(CLOSE_S)

    def _work(self) -> None:
        wait_s, repeat_at = RETRY_S[0], time.monotonic() + REPEAT_S
        while True:
            stopping = self._stop.is_set()
            try:
                self._deliver()
                if "alertmanager" in self.url.partition("://")[0] and time.monotonic() > repeat_at:
                    repeat_at = time.monotonic() + REPEAT_S
                    self._repeat()
                self._well()
                wait_s = RETRY_S[0]
                if not stopping:
                    self._wake.wait(LOOK_S)
            except (OSError, ValueError, LynkeusError) as error:
                self._ill(error)
                if not stopping:
                    self._stop.wait(wait_s * random.uniform(0.8, 1.2))
                wait_s = min(2 * wait_s, RETRY_S[1])
            self._wake.clear()
            if stopping:
                return

    def _well(self) -> None:
        if self._trouble:
            self.about.tell(f"{self.shown}: reached again; what waited was sent")
            self._trouble = ""

    def _ill(self, error: Exception) -> None:
        why = str(getattr(error, "reason", "") or error).strip() or type(error).__name__
        if why != self._trouble:
            code = getattr(error, "code", None)  # of who answered
            said = f"cannot be reached ({why}); tried again until it can"
            said = f"does not take it ({code} {why}); tried again until it does" if code else said
            self.about.tell(f"{self.shown}: {said}")
            self._trouble = why

    def _deliver(self) -> None:
        """Send all changes that were not, in order, and note each."""
        mine = (sink_position.c.sink == self.shown, sink_position.c.monitor == self.about.name)
        with self.about.store.reading() as connection:
            opened_id, event_id = connection.execute(
                sa.select(sink_position.c.opened_id, sink_position.c.event_id).where(*mine)
            ).one()
        for column, number, change in (
            *(("opened_id", *one) for one in self._changes(opened_id, None)),
            *(("event_id", *one) for one in self._changes(None, event_id)),
        ):
            self._send(change)
            with self.about.store.writing() as connection:
                connection.execute(sink_position.update().where(*mine).values({column: number}))

    def _changes(self, opened_after: int | None, ended_after: int | None) -> Iterator[tuple[int, Change]]:
        opened, event = alarm_opened, alarm_event
        ended = ended_after is not None
        peak = event if ended else opened
        columns = (opened.c.id, opened.c.start_ns, opened.c.where, peak.c.peak_score, peak.c.alarms_per_hour)
        end = event.c.end_ns if ended else sa.null().label("end_ns")
        number = event.c.id if ended else opened.c.id
        again = _told_before().label("again_ns") if ended else sa.literal(0).label("again_ns")
        more = (outputs_of_parts().label("also"), again)
        query = sa.select(number.label("number"), series.c.output, end, *columns, *more)
        query = query.select_from(opened.join(series, series.c.id == opened.c.series_id))
        query = query.where(series.c.monitor == self.about.name).order_by(number).limit(200)
        if ended:
            query = query.join(event, event.c.alarm_id == opened.c.id)
            query = query.where(event.c.id > ended_after, is_told())
            query = query.where(event.c.end_ns.is_not(None) | _event_before().is_not(None))  # the end, or again open
        else:
            query = query.where(opened.c.id > opened_after, whole_of().is_(None))
        with self.about.store.reading() as connection:
            rows = connection.execute(query).all()
        for row in rows:
            # The place at the beginning, also of one that ended: Alertmanager knows an alert by it.
            yield row.number, Change(
                self.about.name, self.about.title, row.output, row.id, row.start_ns, row.end_ns, row.where,
                row.peak_score, float("nan") if row.alarms_per_hour is None else row.alarms_per_hour,
                outputs_in(row.also), row.again_ns or 0, self.about.hours_of(row.output),
            )  # fmt: skip

    def _repeat(self) -> None:
        for stored in self.about.store.alarms(self.about.name, status="open"):
            for _, change in self._changes(stored.id - 1, None):
                if change.alarm_id == stored.id:
                    self._send(change)

    def _send(self, change: Change) -> None:
        if self.form.is_file:
            write_entry(self.folder, change)
            return
        request = self.form.make(self.url, change)
        try:
            _post(request)
        except urllib.error.HTTPError as error:
            error.close()
            if error.code not in REFUSED:
                raise
            self.about.tell(f"{self.shown}: refused {change.words()} ({error.code} {error.reason}); it is left out")


def _check_host(url: str) -> None:
    """Raise SettingsError for an address without a host, or that is none; what may be a password is not shown."""
    scheme = url.partition("://")[0]
    try:
        parts = urlsplit(url.partition("+")[2] if "+" in scheme else url)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise SettingsError(f"--publish {scheme_of(url)}: is no address; {WRITTEN}") from error
    if not host:
        raise SettingsError(f"--publish {scheme}://...: names no host, such as http://HOST:PORT/PATH")


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """ELOG answers an entry with a redirection to it: it was taken, and need not be followed."""

    def redirect_request(self, *_given: Any) -> None:
        return None


_opener = urllib.request.build_opener(_NoRedirect)


def _post(request: Request) -> None:
    parts = urlsplit(request.url)
    headers = dict(request.headers)
    if parts.username:
        secret = base64.b64encode(unquote(f"{parts.username}:{parts.password or ''}").encode()).decode()
        headers["Authorization"] = f"Basic {secret}"
        parts = parts._replace(netloc=parts.netloc.rpartition("@")[2])
    sent = urllib.request.Request(urlunsplit(parts), request.body, headers, method="POST")
    try:
        with _opener.open(sent, timeout=TIMEOUT_S) as answer:
            answer.read(1000)
    except urllib.error.HTTPError as error:
        if error.code not in (301, 302, 303):
            raise
        error.close()


def _event_before() -> sa.ScalarSelect[Any]:
    """Return, for rows of `alarm_event`, the end that the event before of the same alarm says."""
    other = alarm_event.alias()
    query = sa.select(other.c.end_ns).where(other.c.alarm_id == alarm_event.c.alarm_id, other.c.id < alarm_event.c.id)
    return query.order_by(other.c.id.desc()).limit(1).correlate(alarm_event).scalar_subquery()


def _told_before() -> sa.ScalarSelect[Any]:
    """Return, for rows of `alarm_event`, the last end of the same alarm that was told before."""
    other = alarm_event.alias()
    query = sa.select(sa.func.max(other.c.end_ns))
    query = query.where(other.c.alarm_id == alarm_event.c.alarm_id, other.c.id < alarm_event.c.id)
    return query.correlate(alarm_event).scalar_subquery()


def _without_password(url: str) -> str:
    """Return an address as it may be shown and stored: without user, password and what looks like a secret."""
    scheme, _, rest = url.partition("://")
    host, slash, path = rest.partition("?")[0].partition("/")
    return f"{scheme}://{host.rpartition('@')[2]}{slash}{path}"
