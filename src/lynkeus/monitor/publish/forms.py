"""Forms: what is sent of one change of an alarm to a webhook, to Alertmanager, to an electronic logbook, to a file."""

from __future__ import annotations

import hashlib
import json
import re
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple
from urllib.parse import parse_qsl

from lynkeus.core import SettingsError
from lynkeus.core.words import how_often
from lynkeus.files.whole import write_whole
from lynkeus.monitor.one_cause import OF_THE_WATCH, SILENT

STAYS_S = 4 * 3600  # an alarm that nobody speaks of any more ends at Alertmanager after so long


class Change(NamedTuple):
    """An alarm that opened, or that ended (`end_ns`), with the outputs of alarms that are parts of it (`also`);
    `again_ns`: it opened again, since it goes on after an end that was told (0: for the first time);
    `reference_hours` of good data that its rate is known from."""

    monitor: str
    title: str
    output: str
    alarm_id: int
    start_ns: int
    end_ns: int | None
    where: str
    score: float | None
    alarms_per_hour: float
    also: tuple[str, ...] = ()
    again_ns: int = 0
    reference_hours: float | None = None

    @property
    def state(self) -> str:
        """Return "open" or "closed"."""
        return "open" if self.end_ns is None else "closed"

    @property
    def key(self) -> str:
        """Return what is the same each time that the same change is sent."""
        text = f"{self.monitor}\0{self.output}\0{self.start_ns}\0{self.state}"
        text += f"\0{self.again_ns}" if self.again_ns else ""
        return hashlib.sha256(text.encode()).hexdigest()[:32]

    def words(self) -> str:
        """Return one line for people."""
        outputs = ", ".join(OF_THE_WATCH.get(one, one) for one in dict.fromkeys((self.output, *self.also)))
        what = f"{self.title or self.monitor}: {outputs} {self.where}".rstrip()
        is_never = SILENT in (self.output, *self.also)
        often = f"good data does this {'never' if is_never else how_often(self.alarms_per_hour, self.reference_hours)}"
        if self.end_ns is None:
            goes_on = " goes on," if self.again_ns else ","
            return f"{what}{goes_on} open since {_at(self.start_ns)}; {often}"
        return f"{what}, over after {(self.end_ns - self.start_ns) / 1e9:.0f} s; {often}"

    def fields(self) -> dict[str, object]:
        """Return it as plain JSON types."""
        plain = self._asdict() | {"state": self.state, "key": self.key, "text": self.words()}
        return plain | {"start": _at(self.start_ns), "end": None if self.end_ns is None else _at(self.end_ns)}


class Request(NamedTuple):
    """What to POST."""

    url: str
    body: bytes
    headers: Mapping[str, str]


@dataclass(frozen=True)
class Form:
    """How changes of an address are sent: as a request, or (`file`) as a file in a folder."""

    make: Callable[[str, Change], Request]
    is_file: bool = False


def webhook(url: str, change: Change) -> Request:
    """Generic JSON, with a key by which who receives it twice knows that."""
    headers = {"Content-Type": "application/json", "Idempotency-Key": change.key}
    return Request(_plain(url), json.dumps(change.fields()).encode(), headers)


def alertmanager(url: str, change: Change) -> Request:
    """The API of Prometheus' Alertmanager, version 2: the labels say which alarm it is, endsAt whether it is over."""
    labels = {"alertname": "LynkeusAlarm", "monitor": change.monitor, "output": change.output}
    labels |= {"where": change.where, "severity": "critical", "alarm": str(change.alarm_id)}
    start = datetime.fromtimestamp(change.start_ns / 1e9, UTC)
    end = datetime.now(UTC) + timedelta(seconds=STAYS_S) if change.end_ns is None else datetime.now(UTC)
    alert = {
        "labels": {name: text for name, text in labels.items() if text},
        "annotations": {"summary": change.words(), "alarms_per_hour": f"{change.alarms_per_hour:.3g}"},
        "startsAt": _rfc3339(start), "endsAt": _rfc3339(max(end, start)),
    }  # fmt: skip
    base = _plain(url).rstrip("/")
    target = base if base.endswith("/alerts") else f"{base}/api/v2/alerts"
    return Request(target, json.dumps([alert]).encode(), {"Content-Type": "application/json"})


def elog(url: str, change: Change) -> Request:
    """The form that an electronic logbook (ELOG of PSI) takes; ?unm=...&upwd=... are user and password."""
    address, _, query = _plain(url).partition("?")
    given = dict(parse_qsl(query))
    fields = {"cmd": "Submit", "exp": address.rstrip("/").rpartition("/")[2], "Author": "lynkeus", "Type": "Alarm"}
    fields |= {"Subject": change.words()[:120], "encoding": "plain", **given}
    text = "\n".join([change.words(), "", f"alarm {change.alarm_id} of {change.monitor}", f"key {change.key}"])
    boundary = uuid.uuid5(uuid.NAMESPACE_OID, change.key).hex
    parts = [
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in (*fields.items(), ("Text", text))
    ]
    body = ("".join(parts) + f"--{boundary}--\r\n").encode()
    return Request(address, body, {"Content-Type": f"multipart/form-data; boundary={boundary}"})


def write_entry(folder: Path, change: Change) -> None:
    """Write a change as a file of its own, under a name that is the same each time: written twice it is there once."""
    at = datetime.fromtimestamp((change.end_ns or change.start_ns) / 1e9, UTC).strftime("%Y-%m-%dT%H-%M-%S")
    name = re.sub(r"[^\w.-]+", "_", f"{at}_{change.monitor}_{change.output}_{change.state}_{change.key[:8]}.txt")
    lines = [change.words(), "", json.dumps(change.fields(), indent=1), ""]
    folder.mkdir(parents=True, exist_ok=True)
    write_whole(folder / name, "\n".join(lines).encode())


FORMS = {
    "http": Form(webhook), "https": Form(webhook), "webhook+http": Form(webhook), "webhook+https": Form(webhook),
    "alertmanager+http": Form(alertmanager), "alertmanager+https": Form(alertmanager),
    "elog+http": Form(elog), "elog+https": Form(elog), "elog+file": Form(webhook, is_file=True),
}  # fmt: skip


def folder_of(url: str) -> Path:
    """Return the folder of elog+file:///FOLDER. Raises SettingsError where none is named."""
    name = url.partition("://")[2]
    if not name.strip("/"):
        raise SettingsError(f"--publish {url}: must name a folder, such as elog+file:///var/log/lynkeus")
    return Path(name).expanduser()


def _plain(url: str) -> str:
    return url.partition("+")[2] if url.partition("://")[0].count("+") else url


def _at(time_ns: int) -> str:
    return datetime.fromtimestamp(time_ns / 1e9, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def _rfc3339(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
