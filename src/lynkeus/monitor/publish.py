"""Scores, p-values and alarms back into the control system: process variables by PVAccess, with severity and words."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import parse_qsl

from lynkeus.core import AlarmRule, SettingsError
from lynkeus.core.extras import needing
from lynkeus.fitting.fitted import Fitted

if TYPE_CHECKING:
    from lynkeus.monitor.watch import Watched

SCHEME = "epics+pva"
NO_ALARM, MINOR, MAJOR, INVALID = 0, 1, 2, 3  # severities of EPICS


class Reading(NamedTuple):
    """What is published of one output: numbers of its last window, the severity of its alarm, and why."""

    score: float
    p_value: float
    alarms_per_hour: float
    severity: int
    says: str
    time_ns: int


def reading_of(fitted: Fitted, run: Watched, rule: AlarmRule, k: int) -> Reading | None:
    """Return what the last window says on output `k`, None before the first one. MAJOR while an alarm is open, MINOR
    where the window alone would keep one open, INVALID where there is nothing to score."""
    scored = run.scored
    if scored is None or not len(scored.batch) or scored.rates is None or scored.batch.time_ns is None:
        return None
    output, row = fitted.scorer.outputs[k], len(scored.batch) - 1
    score, rate = float(scored.scores[row, k]), float(scored.rates[row, k])
    at_ns = int(scored.batch.time_ns[row])
    if not math.isfinite(score):
        return Reading(math.nan, math.nan, math.nan, INVALID, "not enough data to score", at_ns)
    p_value = float(fitted.calibrations[output].p_value(scored.scores[row : row + 1, k])[0])
    found = scored.found[k][row]
    says = (found[0].says if found else "") or str(scored.where(k)[row])
    often = f"once in {1 / rate:.3g} h" if rate > 0 else "never in good data"
    opened = run.open.get(output)
    if opened is not None:
        return Reading(score, p_value, rate, MAJOR, "; ".join(filter(None, (says or opened.alarm.where, often))), at_ns)
    minor = rate <= rule.release_factor * rule.budget_per_hour
    words = "; ".join(filter(None, (says, often))) if minor else ""
    return Reading(score, p_value, rate, MINOR if minor else NO_ALARM, words, at_ns)


class PvaPublisher:
    """A server of process variables.

    PREFIX:OUTPUT:SCORE, :P_VALUE and :ALARMS_PER_HOUR of each output, PREFIX:OPEN (how many alarms are open) and
    PREFIX:HEARTBEAT (seconds since 1970 of the last commit: it stands still when the watch does). Raises SettingsError
    for a URL that is none, or a port that is taken.
    """

    def __init__(self, url: str, fitted: Fitted, rule: AlarmRule) -> None:
        self.prefix, environment = _address(url)
        self.fitted, self.rule = fitted, rule
        with needing(f"--publish {SCHEME}://", "live"):
            from p4p.nt import NTScalar
            from p4p.server import Server
            from p4p.server.thread import SharedPV
        names = [f"{self._of(output)}:{what}" for output in fitted.scorer.outputs for what in
                 ("SCORE", "P_VALUE", "ALARMS_PER_HOUR")]  # fmt: skip
        number = NTScalar("d", display=True)
        self.pvs = {name: SharedPV(nt=number, initial=math.nan) for name in names}
        self.pvs[f"{self.prefix}:OPEN"] = SharedPV(nt=NTScalar("i"), initial=0)
        self.pvs[f"{self.prefix}:HEARTBEAT"] = SharedPV(nt=number, initial=0.0)
        try:
            self.server = Server(providers=[self.pvs], conf=environment, useenv=True)
        except RuntimeError as error:
            raise SettingsError(f"--publish {url}: the server cannot start ({error}); choose another port") from error
        self.port = int(self.server.conf()["EPICS_PVA_SERVER_PORT"])

    def _of(self, output: str) -> str:
        return f"{self.prefix}:{output.upper()}"

    def __call__(self, run: Watched) -> None:
        """Publish the last window and what is open."""
        for k, output in enumerate(self.fitted.scorer.outputs):
            reading = reading_of(self.fitted, run, self.rule, k)
            if reading is None:
                continue
            stamp = reading.time_ns / 1e9
            for what, value in (
                ("SCORE", reading.score), ("P_VALUE", reading.p_value), ("ALARMS_PER_HOUR", reading.alarms_per_hour),
            ):  # fmt: skip
                self.pvs[f"{self._of(output)}:{what}"].post(
                    value, timestamp=stamp, severity=reading.severity, message=reading.says
                )
        now = time.time()
        worst = MAJOR if run.open else NO_ALARM
        words = ", ".join(f"{state.alarm.output} {state.alarm.where}".strip() for state in run.open.values())
        self.pvs[f"{self.prefix}:OPEN"].post(len(run.open), timestamp=now, severity=worst, message=words)
        self.pvs[f"{self.prefix}:HEARTBEAT"].post(now, timestamp=now)

    def close(self) -> None:
        """Stop the server."""
        self.server.stop()


def publisher(url: str | None, fitted: Fitted, rule: AlarmRule) -> PvaPublisher | None:
    """Return what publishes to a URL, None without one. Raises SettingsError for one that it cannot publish to."""
    return PvaPublisher(url, fitted, rule) if url else None


def both(first: Callable[[Watched], None], second: Callable[[Watched], None] | None) -> Callable[[Watched], None]:
    """Return one that calls both."""

    def tick(run: Watched) -> None:
        first(run)
        if second is not None:
            second(run)

    return tick


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
