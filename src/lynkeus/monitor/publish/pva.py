"""Scores and alarms as process variables by PVAccess, with severity and words; and what operators put there."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from lynkeus.core import LynkeusError, SettingsError
from lynkeus.core.extras import needing
from lynkeus.monitor.one_cause import in_words, incidents_of
from lynkeus.monitor.publish.reading import MAJOR, NO_ALARM, reading_of
from lynkeus.monitor.publish.sink import Publishing

if TYPE_CHECKING:
    from lynkeus.monitor.watch import Watched

SCHEME = "epics+pva"
WHAT = ("SCORE", "P_VALUE", "ALARMS_PER_HOUR")
LABELS = ("not real", "unsure", "real")  # as `monitor.records.VERDICTS`, the longest first


class PvaPublisher:
    """A server of process variables.

    PREFIX:OUTPUT:SCORE, :P_VALUE and :ALARMS_PER_HOUR of each output, PREFIX:OPEN (how many alarms are open) and
    PREFIX:HEARTBEAT (seconds since 1970 of the last commit: it stands still when the watch does). Put into them are
    PREFIX:OUTPUT:ACKNOWLEDGE ("NAME: note") and :VERDICT ("real NAME: note"), of the last alarm of the output. `begin`
    raises SettingsError for a port that is taken.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.prefix, self.environment = _address(url)
        with needing(f"--publish {SCHEME}://", "live"):
            import p4p.server.thread  # noqa: F401

    def begin(self, about: Publishing) -> str:
        """Start the server; return what to say of it."""
        from p4p.nt import NTScalar
        from p4p.server import Server
        from p4p.server.thread import SharedPV

        self.about = about
        number, text = NTScalar("d", display=True), NTScalar("s")
        outputs = about.fitted.scorer.outputs
        names = [f"{self._of(output)}:{what}" for output in outputs for what in WHAT]
        self.pvs = {name: SharedPV(nt=number, initial=math.nan) for name in names}
        self.pvs[f"{self.prefix}:OPEN"] = SharedPV(nt=NTScalar("i"), initial=0)
        self.pvs[f"{self.prefix}:HEARTBEAT"] = SharedPV(nt=number, initial=0.0)
        for output in outputs:
            for what in ("ACKNOWLEDGE", "VERDICT"):
                taking = _Put(about, output, what)
                self.pvs[f"{self._of(output)}:{what}"] = SharedPV(nt=text, initial="", handler=taking)
        try:
            self.server = Server(providers=[self.pvs], conf=self.environment, useenv=True)
        except RuntimeError as error:
            raise SettingsError(
                f"--publish {self.url}: the server cannot start ({error}); choose another port"
            ) from error
        self.port = int(self.server.conf()["EPICS_PVA_SERVER_PORT"])
        return f"{self.prefix}:... is published, port {self.port}"

    def _of(self, output: str) -> str:
        return f"{self.prefix}:{output.upper()}"

    def __call__(self, run: Watched) -> None:
        """Publish the last window and what is open."""
        for k, output in enumerate(self.about.fitted.scorer.outputs):
            reading = reading_of(self.about.fitted, run, self.about.rule, k)
            if reading is None:
                continue
            stamp = reading.time_ns / 1e9
            numbers = (reading.score, reading.p_value, reading.alarms_per_hour)
            for what, value in zip(WHAT, numbers, strict=True):
                self.pvs[f"{self._of(output)}:{what}"].post(
                    value, timestamp=stamp, severity=reading.severity, message=reading.says
                )
        now = time.time()
        worst = MAJOR if run.open else NO_ALARM
        count, words = len(incidents_of(run.open)), in_words(run.open)
        self.pvs[f"{self.prefix}:OPEN"].post(count, timestamp=now, severity=worst, message=words)
        self.pvs[f"{self.prefix}:HEARTBEAT"].post(now, timestamp=now)

    def close(self) -> None:
        """Stop the server."""
        self.server.stop()


class _Put:
    """Takes what operators put: an opinion with a name, kept in the store."""

    def __init__(self, about: Publishing, output: str, what: str) -> None:
        self.about, self.output, self.what = about, output, what

    def put(self, pv: Any, op: Any) -> None:
        """Called by the server, in a thread of its own."""
        try:
            text = str(op.value().raw.value)  # the wrapper would print its time as well
            self._take(text, str(op.account() or ""))
        except LynkeusError as error:
            op.done(error=str(error))
            return
        pv.post(text, timestamp=time.time())
        op.done()

    def _take(self, text: str, account: str) -> None:
        label, rest = "", text.strip()
        if self.what == "VERDICT":
            label = next((one for one in LABELS if rest.lower().startswith(one)), "")
            if not label:
                raise SettingsError(f"{text!r}: must begin with real, not real or unsure, then NAME: note")
            rest = rest[len(label) :].strip(" ,;:")
        who, _, note = rest.partition(":")
        who = who.strip() or ("" if account == "anonymous" else account)
        if not who:
            raise SettingsError(f"{text!r}: say who you are: NAME: note")
        store, name = self.about.store, self.about.name
        found = store.alarms(name, self.output, "open", 1) or store.alarms(name, self.output, None, 1)
        if not found:
            raise SettingsError(f"{self.output} has had no alarm yet: there is nothing to speak of")
        incident = found[0].part_of or found[0].id
        if label:
            store.add_verdict(incident, label, who, note.strip())
        else:
            store.acknowledge(incident, who, note.strip())


def _address(url: str) -> tuple[str, Mapping[str, Any]]:
    """Return the prefix of names, and where to serve: epics+pva://LYN:ORBIT?server=127.0.0.1:5075."""
    scheme, _, text = url.partition("://")
    prefix, _, query = text.partition("?")
    given = dict(parse_qsl(query))
    if scheme != SCHEME or not prefix or "/" in prefix or any(letter.isspace() for letter in prefix):
        raise SettingsError(f"--publish {url}: must be {SCHEME}://PREFIX, such as {SCHEME}://LYN:ORBIT")
    if set(given) - {"server"}:
        raise SettingsError(f"--publish {url}: knows server=HOST:PORT only, not {sorted(set(given) - {'server'})[0]}")
    if "server" not in given:
        return prefix, {}
    host, _, port = given["server"].rpartition(":")
    if not host or not port.isdecimal():
        raise SettingsError(f"--publish {url}: server must be HOST:PORT, got {given['server']!r}")
    return prefix, {"EPICS_PVAS_INTF_ADDR_LIST": host, "EPICS_PVAS_SERVER_PORT": port}
