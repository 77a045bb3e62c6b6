"""What every page needs: the store, the token, the reports, and the templates with their words."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, NamedTuple

from fastapi import Depends, Request
from fastapi.templating import Jinja2Templates

from lynkeus.core import StoreError, Verdict
from lynkeus.monitor import run_records
from lynkeus.monitor.logbook import LogbookNow
from lynkeus.monitor.one_cause import OF_THE_WATCH, SILENT
from lynkeus.monitor.records import LABELS, VERDICTS, AlarmFile, Monitor, Pulse, StoredAlarm
from lynkeus.monitor.standing import Maintenance, maintenance_of
from lynkeus.monitor.store import Store
from lynkeus.monitor.written.links import Written, written_of
from lynkeus.web import words
from lynkeus.web.alarms import words as alarm_words
from lynkeus.web.images.scans import ScoredImages
from lynkeus.web.images.shown import ShownImages
from lynkeus.web.runs import figures as run_figures
from lynkeus.web.runs import words as run_words
from lynkeus.web.runs.in_short import RunsInShort, RunsReader

HERE = Path(__file__).parent
WHO_LENGTH, NOTE_LENGTH = 80, 2000


def _rarity(stored: StoredAlarm, hours: Mapping[tuple[str, str], float | None]) -> str:
    """How often good data does what an incident is; never where a part of it is that channels are dead or stuck;
    `hours` of good data that each (monitor, output) is known from."""
    never = SILENT in (stored.alarm.output, *stored.also)
    return (
        "never"
        if never
        else words.how_often(stored.alarm.alarms_per_hour, hours.get((stored.monitor, stored.alarm.output)))
    )


def reference_hours(pulses: Iterable[Pulse]) -> dict[tuple[str, str], float | None]:
    """The hours of good data that each (monitor, output) is known from; None: not known."""
    monitors = [pulse.monitor for pulse in pulses]
    return {(one.name, output): one.reference_hours(output) for one in monitors for output in one.outputs}


def _outputs(stored: StoredAlarm, titles: Mapping[tuple[str, str], str]) -> str:
    """What pages call the outputs of an incident, the one that found it first."""
    all_of = dict.fromkeys((stored.alarm.output, *stored.also))
    return ", ".join(titles.get((stored.monitor, one)) or OF_THE_WATCH.get(one, one) for one in all_of)


templates = Jinja2Templates(directory=HERE / "templates")  # escapes every name it prints
templates.env.filters |= {
    "how_often": words.how_often,
    "rarity": _rarity,
    "outputs_of": _outputs,
    "how_rare": words.how_rare,
    "pixels": words.pixels,
    "duration": words.duration,
    "utc": words.utc,
    "iso": words.iso,
    "count": words.count,
    "number": alarm_words.number,
    "sigma": alarm_words.sigmas,
    "swing": lambda deviation: max(min(deviation, 0.0), -10.0),
    "significant": words.significant,
    "per_second": words.per_second,
    "happened": run_words.happened,
    "in_short": run_words.in_short,
    "how_rare_run": run_words.how_rare_run,
    "p_value": run_words.p_value,
    "events": run_words.events,
    "sigmas": run_words.sigmas,
    "outlined": run_words.outlined,
    "figure": run_figures.figure,
    "ago": lambda at_ns: words.ago(at_ns, time.time_ns()),
    "seconds": lambda alarm: None if alarm.end_ns is None else (alarm.end_ns - alarm.start_ns) / 1e9,
}
templates.env.globals |= {
    "plotly_version": version("plotly"),
    "verdicts": VERDICTS,
    "labels": LABELS,
    "run_verdicts": tuple(verdict.value for verdict in Verdict),
    "run_address": run_words.run_address,
    "plot_address": run_words.plot_address,
    "who_length": WHO_LENGTH,
    "note_length": NOTE_LENGTH,
}


@dataclass(frozen=True)
class Advising:
    """Folders of `models` that advise on failed tasks, the champion first; `really`: what they are sure of is taken as
    decided."""

    models: tuple[Path, ...]
    really: bool = False


@dataclass(frozen=True)
class Words:
    """What people of this place say: whom to `call`, and what the `outputs` of scorers are called."""

    call: str = ""
    outputs: Mapping[str, str] = field(default_factory=dict)


class Tables(NamedTuple):
    """What is shown beside the store: tables of scores of images (`scans`) and of pads, models that `advise`, and a
    `logbook` beside alarms ("": none)."""

    scans: tuple[Path, ...] = ()
    pads: Path | None = None
    advise: Advising | None = None
    logbook: str = ""


@dataclass(frozen=True)
class Site:
    """What one server shows: a store, who may write to it, commissioning reports, scored images (`shown`), its words,
    and the logbook."""

    store: Store
    token: str | None
    reports: Path | None
    shown: ShownImages
    words: Words = field(default_factory=Words)
    runs: RunsReader = field(default_factory=RunsReader)
    logbook: LogbookNow | None = None

    def title_of(self, monitor: Monitor, output: str) -> str:
        """What pages call an output: by the site, else by the watch, else by the scorer."""
        return self.words.outputs.get(output) or OF_THE_WATCH.get(output) or monitor.title_of(output)

    def titles(self) -> dict[tuple[str, str], str]:
        """What pages call each (monitor, output)."""
        monitors = [pulse.monitor for pulse in self.store.monitors()]
        return {(one.name, output): self.title_of(one, output) for one in monitors for output in one.outputs}

    def runs_in_short(self) -> list[RunsInShort]:
        """Of each model that judged runs how many there are, and which are not good."""
        return self.runs.read(self.store)

    def masks_of(self, monitor: str, channel: str) -> list[Maintenance]:
        """The masks under which a channel lies at the last window of its monitor."""
        pulse = self.store.monitor(monitor)
        entries = maintenance_of(self.store, monitor, (pulse.last_end_ns or 0) if pulse else 0)
        return [one for one in entries if one.channel == channel]

    def written(self, file: AlarmFile) -> Written | None:
        """What the logbook of the server says of an alarm; without one, what its watch found (`watch --logbook`)."""
        if self.logbook is None:
            return written_of(self.store, file.stored.id)
        return Written(str(self.logbook.data), *self.logbook.now().of_alarm(file.stored.alarm, file.said))

    @property
    def scans(self) -> ScoredImages | None:
        """The scored images as they are now; None where there are none."""
        return self.shown.now()

    @property
    def has_runs(self) -> bool:
        """Return whether there are runs to show; not where the store fails, which another part of the page says."""
        try:
            return run_records.stamp(self.store)[0] > 0
        except StoreError:
            return False


def _site_of(request: Request) -> Site:
    site: Site = request.app.state.site
    return site


SiteDep = Annotated[Site, Depends(_site_of)]
