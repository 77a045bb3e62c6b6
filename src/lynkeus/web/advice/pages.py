"""The page of open failures, ranked, with one click to decide; and the page of the models that advise."""

from __future__ import annotations

from typing import Annotated, Any, Literal, NamedTuple
from urllib.parse import urlencode

from fastapi import APIRouter, Form, HTTPException, Query, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from pydantic import BaseModel, StringConstraints

from lynkeus.core.errors import SettingsError
from lynkeus.monitor.advice.agreement import Agreement, Point, agreement
from lynkeus.monitor.advice.champion import chosen_champion
from lynkeus.monitor.advice.decisions import decisions
from lynkeus.monitor.advice.drift import drift
from lynkeus.monitor.advice.open_tasks import State, Wanted, actions_open, open_tasks
from lynkeus.web.advice.api import DeskDep
from lynkeus.web.advice.desk import Adviser
from lynkeus.web.api import Who
from lynkeus.web.guard import may_post, require_token
from lynkeus.web.site import SiteDep, templates

router = APIRouter(prefix="/advice", include_in_schema=False)
PAGE, TRAIL = 100, 50
WIDTH, HEIGHT, EDGE = 560, 220, 34  # of a figure, px
MOST_BUTTONS = 5  # actions with a button of their own
ORDERS = {
    "urgency": "most jobs that the usual action would not help", "jobs": "most failed jobs",
    "surest": "surest advice", "unsurest": "least sure advice", "newest": "newest",
}  # fmt: skip
Word = Annotated[str, StringConstraints(strip_whitespace=True, max_length=200)]


class AdviceSelection(BaseModel):
    """Which open tasks are shown, and in which order; it travels in the address."""

    action: Word = ""
    text: Word = ""
    sure: Literal["", "yes"] = ""
    state: Literal["open", "postponed"] = "open"
    order: Literal["urgency", "jobs", "surest", "unsurest", "newest"] = "urgency"
    start: Annotated[int, Query(ge=0, le=10_000_000)] = 0

    @property
    def wanted(self) -> Wanted:
        """Return it as the store is asked."""
        return Wanted(self.action, self.text, self.sure == "yes", self.state, self.order, self.start, PAGE)

    @property
    def query(self) -> str:
        """Return it as an address has it, without the start."""
        return urlencode(self.model_dump(exclude_defaults=True, exclude={"start"}))


class Bar(NamedTuple):
    """A point of a figure with its interval, in pixels, and what it says."""

    x: float
    y: float
    low: float
    high: float
    says: str


Selection = Annotated[AdviceSelection, Query()]


@router.get("")
def page(request: Request, site: SiteDep, desk: DeskDep, chosen: Selection) -> HTMLResponse:
    """Show what is open, the most urgent first: the first hundred; the rest comes on demand."""
    counts = actions_open(site.store, desk.champion.version, chosen.state)
    others: State = "open" if chosen.state == "postponed" else "postponed"
    other = actions_open(site.store, desk.champion.version, others)
    context = _rows(site, desk, chosen) | {
        "counts": counts, "other": sum(other.values()), "orders": ORDERS, "desk": desk,
        "signed_in": may_post(request, site.token),
    }  # fmt: skip
    return templates.TemplateResponse(request, "advice.html", context)


@router.get("/rows")
def more_rows(request: Request, site: SiteDep, desk: DeskDep, chosen: Selection) -> HTMLResponse:
    """Further rows of the table, from `start` on."""
    return templates.TemplateResponse(request, "_advice.html", _rows(site, desk, chosen))


@router.get("/models")
def models(request: Request, site: SiteDep, desk: DeskDep) -> HTMLResponse:
    """The models side by side: agreement with people over time, calibration, what may be applied; last decisions."""
    advisers = [desk.champion, *desk.shadows]
    shown = [_model(site, desk, one, agreement(site.store, one.version)) for one in advisers]
    context = {
        "shown": shown,
        "desk": desk,
        "chosen": chosen_champion(site.store),
        "signed_in": may_post(request, site.token),
        "trail": decisions(site.store, many=TRAIL, newest=True),
    }
    context |= {"names": {one.version: one.name for one in desk.advisers}}
    context |= {"width": WIDTH, "height": HEIGHT, "edge": EDGE}
    return templates.TemplateResponse(request, "advisers.html", context)


@router.post("/models/champion")
def choose(
    request: Request, site: SiteDep, desk: DeskDep, version: Annotated[str, Form(max_length=80)],
    who: Annotated[Who, Form()],
) -> Response:  # fmt: skip
    """Let another model advise from now on, and show the models again."""
    require_token(request, site.token, "a champion")
    try:
        desk.choose(version, who)
    except SettingsError as error:
        raise HTTPException(404, str(error)) from error
    return RedirectResponse("/advice/models", 303)


def _rows(site: SiteDep, desk: DeskDep, chosen: AdviceSelection) -> dict[str, Any]:
    found, total = open_tasks(site.store, desk.champion.version, chosen.wanted)
    champion = desk.champion
    return {
        "rows": [(one, _probabilities(champion, one.advice.says), _more(champion, one.advice.says)) for one in found],
        "total": total, "chosen": chosen, "actions": champion.actions, "few": len(champion.actions) <= MOST_BUTTONS,
    }  # fmt: skip


def _probabilities(adviser: Adviser, says: Any) -> list[tuple[str, float]]:
    """Return each action with its probability, the most probable first."""
    found = [(word, says.get(f"p_{word}")) for word in adviser.actions]
    return sorted(((word, p) for word, p in found if p is not None), key=lambda pair: -pair[1])


def _more(adviser: Adviser, says: Any) -> list[tuple[str, str]]:
    """Return the answers to further questions, such as the memory."""
    heads = list(getattr(adviser.fitted.scorer, "heads", {}))
    return [(name, str(says[name])) for name in heads[1:] if name in says]


def _model(site: SiteDep, desk: DeskDep, adviser: Adviser, found: Agreement) -> dict[str, Any]:
    lineage, came = adviser.fitted.lineage, drift(site.store, adviser.version, adviser.usual)
    return {
        "adviser": adviser, "found": found, "promise": lineage.get("promise") or {}, "samples": lineage.get("samples"),
        "doubtful": lineage.get("doubtful_decisions"), "fitted": lineage.get("fitted_at") or lineage.get("time") or "",
        "over_time": _bars(found.curve, evenly=True), "calibration": _bars(found.calibration),
        "drift": came, "unknown": _bars(came.unknown, evenly=True, what="hold what it had not met"),
        "unusual": _bars(came.unusual, evenly=True, what="look unusual"), "trust": desk.trust(adviser),
    }  # fmt: skip


def _bars(points: list[Point], evenly: bool = False, what: str = "agreed") -> list[Bar]:
    """Return points as pixels; from 0 to 1 upwards, and to the right unless they stand evenly."""
    found = []
    for k, one in enumerate(points):
        across = (k + 0.5) / len(points) if evenly else one.at
        x = EDGE + across * (WIDTH - 2 * EDGE)
        y, low, high = (HEIGHT - EDGE - share * (HEIGHT - 2 * EDGE)
                        for share in (one.agreed.share, one.agreed.low, one.agreed.high))  # fmt: skip
        where = "" if evenly else f", confidence {one.at:.2f}"
        says = f"{one.agreed.hits} of {one.agreed.trials} {what}{where}"
        found.append(Bar(round(x, 1), round(y, 1), round(low, 1), round(high, 1), says))
    return found
