"""The page of what stands: what has become the reference, what is masked; forms that acknowledge it, and that mask."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, HTTPException, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from pydantic import BaseModel, Field, StringConstraints

from lynkeus.core.errors import LynkeusError, SettingsError
from lynkeus.monitor.standing import (
    Maintenance,
    acknowledge,
    add_maintenance,
    is_listed,
    list_standing,
    maintenance_of,
    matching,
)
from lynkeus.web.api import LARGEST, Note, Text, Who
from lynkeus.web.guard import may_post, require_token
from lynkeus.web.site import Site, SiteDep, templates

router = APIRouter(include_in_schema=False)
NS_PER_HOUR = 3.6e12
TAKEN_BACK = 1.0  # ns from the last window on
Name = Annotated[str, Form(max_length=200)]
Patterns = Annotated[str, Form(max_length=1000)]


@router.get("/standing")
def standing(request: Request, site: SiteDep) -> HTMLResponse:
    """What stands of every monitor, and which channels people have masked."""
    watched = []
    for pulse in site.store.monitors():
        name = pulse.monitor.name
        listed = list_standing(site.store, name, pulse.monitor.acknowledge)
        masks = maintenance_of(site.store, name, pulse.last_end_ns or 0)
        watched.append({"pulse": pulse, "standing": listed, "masks": masks})
    context = {"watched": watched, "may_post": may_post(request, site.token)}
    return templates.TemplateResponse(request, "standing.html", context)


@router.post("/standing/{number}/acknowledged")
def seen(
    request: Request, site: SiteDep, number: int, who: Annotated[Who, Form()], note: Annotated[Note, Form()] = ""
) -> Response:
    """Note that somebody has seen what stands."""
    require_token(request, site.token, "this")
    if not (0 < number <= LARGEST and is_listed(site.store, number)):
        raise HTTPException(404, f"nothing stands under the number {number}")
    acknowledge(site.store, number, who, note)
    return RedirectResponse("/standing", 303)


class MaskForm(BaseModel):
    """What a form sends that masks channels; `alarm`: the number of the one whose page asked for it, 0 for none."""

    monitor: Annotated[str, StringConstraints(max_length=200), Text]
    channels: Annotated[str, StringConstraints(max_length=1000), Text]
    who: Who
    reason: Note
    hours: Annotated[float, Field(ge=0.0, le=1e5)] = 0.0
    alarm: int = 0


@router.post("/maintenance")
def mask(request: Request, site: SiteDep, form: Annotated[MaskForm, Form()]) -> Response:
    """Mask channels for some hours from the last window on; 0: until further notice."""
    _append(request, site, form.monitor, form.channels, form.who, form.reason, form.hours * NS_PER_HOUR)
    return RedirectResponse(f"/alarms/{form.alarm}" if form.alarm > 0 else "/standing", 303)


@router.post("/maintenance/over")
def unmask(request: Request, site: SiteDep, monitor: Name, channel: Patterns, who: Annotated[Who, Form()]) -> Response:
    """Take a channel back."""
    _append(request, site, monitor, channel, who, "taken back", TAKEN_BACK)
    return RedirectResponse("/standing", 303)


def _append(
    request: Request, site: Site, monitor: str, channels: str, who: str, reason: str, ahead_ns: float
) -> None:  # fmt: skip
    require_token(request, site.token, "this")
    pulse = site.store.monitor(monitor)
    if pulse is None:
        raise HTTPException(404, f"no monitor {monitor!r}")
    try:
        if ahead_ns != TAKEN_BACK and not pulse.monitor.masks:
            raise SettingsError("the scorer of this watch cannot leave channels out; fit without them")
        whole = channels.strip()  # a name may have spaces and commas in it
        given = [whole] if whole in pulse.monitor.channels else channels.replace(",", " ").split()
        names = matching(given, pulse.monitor.channels)
        until_ns = (pulse.last_end_ns or 0) + round(ahead_ns) if ahead_ns else 0
        add_maintenance(site.store, [Maintenance(monitor, name, until_ns, reason, who) for name in names])
    except LynkeusError as error:
        raise HTTPException(422, str(error)) from error
