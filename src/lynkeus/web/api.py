"""The JSON API under /api/v1: the same facts as the pages, for programs; described by OpenAPI."""

from __future__ import annotations

import csv
import io
from typing import Annotated, Any, Literal

from fastapi import APIRouter, HTTPException, Query, Request, Response
from fastapi import Path as PathParam
from fastapi.responses import JSONResponse
from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, StringConstraints

from lynkeus.core.errors import SettingsError, SourceError
from lynkeus.monitor.opinions import opinions
from lynkeus.monitor.records import AlarmFile, Pulse, Status, StoredAlarm, StoredVerdict
from lynkeus.monitor.traces import trace_of
from lynkeus.transforms.writing.check import check_writing
from lynkeus.web.alarms.evidence import drawable, finite, strips
from lynkeus.web.alarms.reports import turn_on_curves
from lynkeus.web.guard import require_token
from lynkeus.web.site import NOTE_LENGTH, WHO_LENGTH, SiteDep


def storable(text: str) -> str:
    """A text that a store can hold: without NUL and halves of characters. Raises ValueError otherwise."""
    if "\0" in text:
        raise ValueError("must have no NUL in it")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ValueError("must be whole characters") from error
    return text


router = APIRouter(prefix="/api/v1", tags=["lynkeus"])
_LABEL = ("images", "file", "label", "who", "class_name", "note", "at_ns")
Number = Annotated[float | None, BeforeValidator(finite)]  # NaN and infinity as null
LARGEST = 2**63 - 1  # that a store can hold
Ns = Annotated[int, Field(ge=-LARGEST, le=LARGEST)]
AlarmId = Annotated[int, PathParam(description="number of the alarm")]
Text = AfterValidator(storable)
Said = Literal["real", "not real", "unsure"]
Who = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=WHO_LENGTH), Text]
Note = Annotated[str, StringConstraints(strip_whitespace=True, max_length=NOTE_LENGTH), Text]


class AcknowledgeIn(BaseModel):
    """Who sees to an alarm."""

    who: Who
    note: Note = ""


class VerdictIn(BaseModel):
    """What a person says of an alarm."""

    verdict: Said
    who: Who
    note: Note = ""


class VerdictOut(VerdictIn):
    """A verdict as it was stored; times are UTC ns."""

    alarm_id: int
    at_ns: int

    @classmethod
    def of(cls, said: StoredVerdict) -> VerdictOut:
        """Make it from a row of the store."""
        return cls.model_construct(
            verdict=said.verdict, who=said.who, note=said.note, alarm_id=said.alarm_id, at_ns=said.at_ns
        )


class MonitorOut(BaseModel):
    """One monitor: what it is, and whether it is alive; times are UTC ns."""

    name: str
    title: str
    outputs: list[str]
    unit: str
    budget_per_hour: Number
    lineage: dict[str, Any]
    heartbeat_ns: int
    last_end_ns: int | None
    samples: int
    missed: int
    samples_per_s: Number
    finished: bool

    @classmethod
    def of(cls, pulse: Pulse) -> MonitorOut:
        """Make it from a row of the store."""
        return cls.model_validate({**vars(pulse.monitor), **vars(pulse), "outputs": list(pulse.monitor.outputs)})


class AlarmOut(BaseModel):
    """One alarm as it stands; `end_ns` is null while it is open, `alarms_per_hour` is how often good data does this.

    `also`: outputs of alarms that are parts of it, since both have one cause; `part_of`: the number of the alarm that
    this one is a part of, else null.
    """

    id: int
    monitor: str
    output: str
    start_ns: int
    end_ns: int | None
    peak_ns: int
    peak_score: Number
    alarms_per_hour: Number
    where: str
    verdict: str | None
    seen_by: str | None
    part_of: int | None = None
    also: list[str] = []

    @classmethod
    def of(cls, stored: StoredAlarm) -> AlarmOut:
        """Make it from a row of the store."""
        fields = vars(stored.alarm) | {"id": stored.id, "monitor": stored.monitor, "verdict": stored.verdict}
        fields |= {"seen_by": stored.seen_by, "part_of": stored.part_of, "also": list(stored.also)}
        return cls.model_validate(fields)


class AlarmFileOut(AlarmOut):
    """One alarm with its evidence, the lineage of what scored it, and every verdict."""

    evidence: dict[str, Any]
    lineage: dict[str, Any]
    verdicts: list[VerdictOut]


class PointsOut(BaseModel):
    """Scored windows of one output in time order, a list per column."""

    start_ns: list[int]
    end_ns: list[int]
    score: list[Number]
    alarms_per_hour: list[Number]
    where: list[str]


class WriteCheckIn(BaseModel):
    """A text; the language (de, en, pl) is told where none is given."""

    text: str
    language: Annotated[str, StringConstraints(max_length=20)] = ""


class WriteCheckOut(BaseModel):
    """Score and its parts from 0 to 100, marks by characters of the text, advice with the points that it would gain."""

    language: str
    score: float
    parts: list[dict[str, Any]]
    marks: list[dict[str, Any]]
    advice: list[dict[str, Any]]


@router.get("/monitors")
def monitors(site: SiteDep) -> list[MonitorOut]:
    """Return every monitor that ever started."""
    return [MonitorOut.of(pulse) for pulse in site.store.monitors()]


@router.get("/alarms")
def alarms(
    site: SiteDep,
    monitor: str | None = None,
    output: str | None = None,
    status: Status | None = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    before: Ns | None = None,
) -> list[AlarmOut]:
    """Alarms, newest first; page back with `before`, the smallest id seen. Parts of others are left out, but of an
    `output` that is asked for."""
    return [AlarmOut.of(stored) for stored in site.store.alarms(monitor, output, status, limit, before)]


@router.get("/alarms/{alarm_id}")
def alarm(site: SiteDep, alarm_id: AlarmId) -> AlarmFileOut:
    """One alarm with everything that is known of it."""
    file = find_alarm(site, alarm_id)
    more = {"evidence": dict(file.evidence), "lineage": dict(file.monitor.lineage)}
    said = [VerdictOut.of(row) for row in file.verdicts]
    return AlarmFileOut.model_validate(vars(AlarmOut.of(file.stored)) | more | {"verdicts": said})


@router.get("/alarms/{alarm_id}/plot")
def alarm_plot(site: SiteDep, alarm_id: AlarmId) -> dict[str, Any]:
    """The evidence of one alarm, made fit to draw; `strips`: the channels that speak most for it, over time."""
    plot = drawable(find_alarm(site, alarm_id))
    return plot | {"strips": strips(plot, trace_of(site.store, alarm_id))}


@router.get("/alarms/{alarm_id}/logbook")
def alarm_written(site: SiteDep, alarm_id: AlarmId) -> dict[str, list[dict[str, Any]]]:
    """What a logbook says near an alarm in time, and of the `like` before it; empty where nobody has looked."""
    found = site.written(find_alarm(site, alarm_id))
    return {part: [one._asdict() for one in getattr(found, part, ())] for part in ("near", "like")}


@router.get("/points")
def points(
    site: SiteDep,
    monitor: str,
    output: str,
    start_ns: Ns | None = None,
    end_ns: Ns | None = None,
    at_most: Annotated[int, Query(ge=1, le=20_000)] = 2000,
) -> PointsOut:
    """Scores over time, thinned to the highest of each of `at_most` bins."""
    rows = site.store.points(monitor, output, start_ns, end_ns, at_most)
    return PointsOut.model_validate({name: [getattr(row, name) for row in rows] for name in PointsOut.model_fields})


@router.get("/verdicts")
def verdicts(site: SiteDep, monitor: str) -> list[VerdictOut]:
    """Every verdict on the alarms of a monitor, oldest first."""
    return [VerdictOut.of(said) for said in site.store.verdicts(monitor)]


@router.get("/labels")
def labels(site: SiteDep, images: str | None = None, form: Literal["json", "csv"] = "json") -> Response:
    """Return what people said of images, oldest first: the latest of a file holds. `images`: of one folder only."""
    rows = [
        dict(zip(_LABEL, (s.within, s.name, s.label, s.who, s.kind, s.note, s.at_ns), strict=True))
        for s in opinions(site.store, "image", images)
    ]
    if form == "json":
        return JSONResponse(rows)
    text = io.StringIO()
    table = csv.DictWriter(text, list(_LABEL), lineterminator="\n")
    table.writeheader()
    table.writerows(rows)
    headers = {"Content-Disposition": 'attachment; filename="labels.csv"'}
    return Response(text.getvalue(), media_type="text/csv; charset=utf-8", headers=headers)


@router.post("/alarms/{alarm_id}/verdicts", status_code=201)
def add_verdict(request: Request, site: SiteDep, alarm_id: AlarmId, said: VerdictIn) -> AlarmOut:
    """Append a verdict; where the server has a token, send it as `Authorization: Bearer`."""
    require_token(request, site.token, "a verdict")
    find_alarm(site, alarm_id)
    site.store.add_verdict(alarm_id, said.verdict, said.who, said.note)
    return AlarmOut.of(find_alarm(site, alarm_id).stored)


@router.post("/alarms/{alarm_id}/acknowledge", status_code=201)
def acknowledge(request: Request, site: SiteDep, alarm_id: AlarmId, said: AcknowledgeIn) -> AlarmOut:
    """Append that somebody sees to an alarm, which is no verdict; the token as for verdicts."""
    require_token(request, site.token, "this")
    find_alarm(site, alarm_id)
    site.store.acknowledge(alarm_id, said.who, said.note)
    return AlarmOut.of(find_alarm(site, alarm_id).stored)


@router.post("/write-check")
def write_check(said: WriteCheckIn) -> WriteCheckOut:
    """Say how a text is written, part by part, and what would help most; nothing is kept."""
    try:
        found = check_writing(said.text, said.language)
    except (SettingsError, SourceError) as error:
        raise HTTPException(422, str(error)) from error
    return WriteCheckOut(
        language=found.language, score=found.score, parts=[vars(part) for part in found.parts],
        marks=[mark._asdict() for mark in found.marks],
        advice=[{"what": what, "gain": gain} for what, gain in found.advice],
    )  # fmt: skip


@router.get("/turn-on")
def turn_on(site: SiteDep) -> dict[str, Any]:
    """Turn-on curves of the commissioning report, or a message that says why there are none."""
    return turn_on_curves(site.reports)


def find_alarm(site: SiteDep, alarm_id: int) -> AlarmFile:
    """An alarm of the store; 404 where there is none of that number."""
    file = site.store.alarm(alarm_id) if 0 < alarm_id < 2**63 else None
    if file is None:
        raise HTTPException(404, f"there is no alarm {alarm_id}")
    return file
