"""Advice about failed tasks and decisions on them as JSON, for programs and for the page; described by OpenAPI."""

from __future__ import annotations

import json
from typing import Annotated, Any

from fastapi import APIRouter, Depends, HTTPException, Query, Request
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel, ConfigDict, StringConstraints

from lynkeus.core.errors import SettingsError, SourceError
from lynkeus.monitor.advice.decisions import Decision, UnknownTaskError, decide, decisions
from lynkeus.web.advice.desk import LONGEST_NAME, Desk
from lynkeus.web.api import Note, Ns, Text, Who
from lynkeus.web.guard import require_token
from lynkeus.web.site import SiteDep

router = APIRouter(prefix="/api", tags=["advice"])
MOST_AT_ONCE = 10_000  # decisions, and rows of the trail
Name = Annotated[str, StringConstraints(min_length=1, max_length=LONGEST_NAME), Text]
Word = Annotated[str, StringConstraints(strip_whitespace=True, max_length=80), Text]
TASKS = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {"type": "object"},
                "examples": {
                    "many": {
                        "value": {
                            "NAME": {
                                "parameters": {"memory": "20000"},
                                "errors": {"good_sites": {"50660": {"T2_US_Town": 12}}, "bad_sites": {}},
                            }
                        }
                    },
                    "one": {"value": {"task": "NAME", "errors": {"good_sites": {"50660": {"T2_US_Town": 12}}}}},
                },
            }
        },
    }
}


class Similar(BaseModel):
    """A past task that is like one, what the answer was, and how like it is (cosine)."""

    task: str
    answer: str
    likeness: float


class AdviceOut(BaseModel):
    """Advice about a task: the answer to each question under its name (such as `action`), `p_ACTION` of each action,
    and the following. `held`: why sure advice is not applied: it holds codes or sites that were not met
    (`unknown`), such tasks were hardly met (`unlike`), people are asked all the same (`audit`), or decided otherwise
    too often (`brake`)."""

    model_config = ConfigDict(extra="allow")
    task: str
    stage: int = 1
    confidence: float | None = None
    apply: bool = False
    held: str = ""
    reason: str = ""
    similar: list[Similar] = []
    model: str
    version: str
    shadow: list[dict[str, Any]] = []


class ChampionIn(BaseModel):
    """Which model advises from now on, by its version, and who says so."""

    version: Word
    who: Who


class AnswerOut(BaseModel):
    """Advice about each task in the order sent, and in words what of the tasks was left out."""

    advice: list[AdviceOut]
    messages: list[str]


class DecisionIn(BaseModel):
    """What somebody decides about a task; an empty action postpones it."""

    task: Name
    action: Word
    who: Who
    note: Note = ""


class DecidedOut(BaseModel):
    """What was decided: how many decisions are `new`, the others were there; what each `said`, in the order sent; and
    in words what the model does not know of it."""

    new: int
    already: int
    said: list[str]
    messages: list[str] = []


class TrailOut(BaseModel):
    """A row of the audit trail; `who`: a person, or the version of a model; `digest`: of the task; times are UTC ns."""

    number: int
    task: str
    said: str
    action: str
    who: str
    note: str
    model: str
    advised: str
    confidence: float | None
    digest: str
    at_ns: Ns


def desk_of(request: Request) -> Desk:
    """Return the desk of the server; 404 where it has none."""
    desk: Desk | None = request.app.state.desk
    if desk is None:
        raise HTTPException(404, "this server advises on nothing: start it with lynkeus serve --advise MODEL")
    return desk


DeskDep = Annotated[Desk, Depends(desk_of)]


@router.post("/advice", openapi_extra=TASKS, response_model=AnswerOut)
async def advice(request: Request, site: SiteDep, desk: DeskDep) -> Any:
    """Advise on one failed task, or on many by name, and keep them in the store; the token as for decisions."""
    require_token(request, site.token, "advice that is kept")
    body = await request.body()
    return await run_in_threadpool(_advised, desk, body)


def _advised(desk: Desk, body: bytes) -> dict[str, Any]:
    try:
        found = json.loads(body, parse_constant=_no_number)
    except json.JSONDecodeError as error:
        at = f"line {error.lineno}, column {error.colno}"
        raise HTTPException(422, f"the tasks are no JSON at {at} ({error.msg}); mend that line") from error
    except (UnicodeDecodeError, RecursionError) as error:
        raise HTTPException(422, "the tasks are no JSON in UTF-8, or nested too deep; write them again") from error
    except ValueError as error:
        raise HTTPException(422, str(error)) from error
    try:
        tasks, records, messages = desk.read(found)
    except SourceError as error:
        raise HTTPException(422, str(error)) from error
    found = desk.advise(tasks, records)
    new = sum(bool(one.get("unknown")) for one in found)
    if new:
        messages.append(f"tasks with codes or sites that {desk.champion.name} has not met: {new}")
    return {"advice": found, "messages": messages}


def _no_number(word: str) -> float:
    raise ValueError(f"the tasks hold {word}, which is no JSON; leave it out")


@router.post("/decisions", status_code=201)
def add_decisions(
    request: Request, site: SiteDep, desk: DeskDep, said: DecisionIn | list[DecisionIn] | dict[str, list[DecisionIn]]
) -> DecidedOut:
    """Append one decision, or many (all or none); they are committed before the answer. The same one twice is one."""
    require_token(request, site.token, "a decision")
    if isinstance(said, dict):
        if set(said) != {"decisions"}:
            raise HTTPException(422, "send a decision, a list of them, or such a list as 'decisions'")
        said = said["decisions"]
    many = said if isinstance(said, list) else [said]
    if not 0 < len(many) <= MOST_AT_ONCE:
        raise HTTPException(422, f"send from 1 to {MOST_AT_ONCE} decisions, got {len(many)}")
    given = [Decision(one.task, one.action, one.who, one.note) for one in many]
    try:
        words, new = decide(site.store, given, desk.champion.version)
    except UnknownTaskError as error:
        raise HTTPException(404, str(error)) from error
    model = desk.champion
    other = sorted({one.action for one in given} - {"", *model.actions})
    messages = [
        f"{name!r} is none of {model.name}'s answers ({', '.join(model.actions)}): kept, for the next fit"
        for name in other
    ]
    return DecidedOut(new=new, already=len(many) - new, said=words, messages=messages)


@router.post("/champion", status_code=201)
def choose_champion(request: Request, site: SiteDep, desk: DeskDep, said: ChampionIn) -> ChampionIn:
    """Let another of the models that are served advise from now on, also after a restart."""
    require_token(request, site.token, "a champion")
    try:
        desk.choose(said.version, said.who)
    except SettingsError as error:
        raise HTTPException(404, str(error)) from error
    return said


@router.get("/decisions")
def trail(
    site: SiteDep,
    _: DeskDep,
    after: Annotated[int, Query(ge=0, lt=2**63)] = 0,
    limit: Annotated[int, Query(ge=1, le=MOST_AT_ONCE)] = 1000,
) -> list[TrailOut]:
    """Return the audit trail, oldest first, behind the row `after`: who or what decided, and what was advised."""
    return [TrailOut.model_validate(row._asdict()) for row in decisions(site.store, after, limit)]
