"""The plane of pads as a page, what it fetches, labels, and the training that labels start."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np
from fastapi import APIRouter, Depends, Form, HTTPException, Request, Response
from fastapi.responses import HTMLResponse
from pydantic import BaseModel, StringConstraints

from lynkeus.monitor.opinions import PAD_WORDS, Opinion, add_opinion
from lynkeus.web.guard import may_post, require_token
from lynkeus.web.pads.retrain import Retrain
from lynkeus.web.pads.shown import PadsNow, ShownPads, labels_of
from lynkeus.web.site import WHO_LENGTH, SiteDep, templates

page = APIRouter()
router = APIRouter(prefix="/api/v1/pads", tags=["pads"])
NUMBERS = "application/octet-stream"


def _pads(request: Request) -> ShownPads:
    found: PadsNow | None = request.app.state.pads
    if found is None:
        raise HTTPException(404, "no pads were given: start the server with --pads pads.parquet")
    return found.now()


PadsDep = Annotated[ShownPads, Depends(_pads)]


class LabelForm(BaseModel):
    """What a person says of a pad; `who` may be left out on one's own machine."""

    label: str
    pad: str
    who: Annotated[str, StringConstraints(strip_whitespace=True, max_length=WHO_LENGTH)] = ""


@page.get("/pads")
def plane(request: Request, site: SiteDep, pads: PadsDep) -> HTMLResponse:
    """Return the page; all numbers are fetched by its script."""
    retrain: Retrain = request.app.state.retrain
    context = {
        "words": words_of(pads),
        "may_post": may_post(request, site.token),
        "can_retrain": retrain.possible(pads),
    }
    return templates.TemplateResponse(request, "pads.html", context)


def words_of(pads: ShownPads) -> list[str]:
    """Return the labels that a pad can be given: its classes, and those of every eye-scan."""
    return list(dict.fromkeys((*pads.table.classes, *PAD_WORDS)))


@router.get("/about")
def about(site: SiteDep, pads: PadsDep) -> dict[str, Any]:
    """Return what the plane is made of."""
    table = pads.table
    counts = np.bincount(pads.classes, minlength=len(table.classes))
    return {
        "pads": len(table), "classes": list(table.classes), "counts": counts.tolist(), "numbers": list(pads.names()),
        "good": [bool(table["good"][pads.classes == k].any()) for k in range(len(table.classes))],
        "clusters": pads.clusters, "labels": labels_of(pads.said(site.store)), "stamp": str(pads.stamp),
        "file": table.path.name,
    }  # fmt: skip


@router.get("/columns/{name}")
def column(pads: PadsDep, name: str) -> Response:
    """Return the numbers of all pads: float32, or of `class` and `order` uint8 and uint32, in the machine's order."""
    if name == "class":
        content = pads.classes.tobytes()
    elif name == "order":
        content = pads.order.tobytes()
    elif name in ("width", "length"):
        content = pads.sizes[name == "length"].tobytes()
    elif name in pads.names():
        content = pads.column(name).tobytes()
    else:
        raise HTTPException(404, f"there is no column {name!r} of numbers")
    return Response(content, media_type=NUMBERS)


@router.get("/{number}")
def one_pad(pads: PadsDep, number: int) -> dict[str, Any]:
    """Return all that is known of a pad, with its spectrum where it is there."""
    if not 0 <= number < len(pads.table):
        raise HTTPException(404, f"there is no pad {number}")
    return {"facts": pads.facts(number), "name": pads.name_of(number), "spectrum": pads.spectrum(number)}


@router.post("/{number}/label")
def give_label(
    request: Request, site: SiteDep, pads: PadsDep, number: int, said: Annotated[LabelForm, Form()]
) -> dict[str, str]:
    """Append a label of a pad; `pad` is its name, so that a table that was written anew takes no wrong one."""
    require_token(request, site.token, "a label")
    if not 0 <= number < len(pads.table):
        raise HTTPException(404, f"there is no pad {number}")
    name = pads.name_of(number)
    if said.pad != name:
        raise HTTPException(409, "the pads were judged again meanwhile: load the page anew")
    if said.label not in words_of(pads):
        raise HTTPException(422, f"label must be one of {', '.join(words_of(pads))}")
    add_opinion(site.store, Opinion("pad", pads.within, name, said.label, said.who or "someone"))
    return {"name": name, "label": said.label}


@router.post("/retrain")
def start_training(request: Request, site: SiteDep, pads: PadsDep) -> dict[str, Any]:
    """Fit the model again with the labels of people, and judge the pads by it; the page asks how it goes."""
    require_token(request, site.token, "training")
    retrain: Retrain = request.app.state.retrain
    problem = retrain.start(pads)
    if problem:
        raise HTTPException(409, problem)
    return retrain.state()


@router.get("/retrain/state")
def training_state(request: Request, pads: PadsDep) -> dict[str, Any]:
    """Return whether a training runs, and how the last one ended; `stamp` changes with the table."""
    retrain: Retrain = request.app.state.retrain
    return retrain.state() | {"stamp": str(pads.stamp)}
