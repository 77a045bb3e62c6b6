"""The page of what is at work: long commands with how far they are, since when, and by how many."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from lynkeus.files.at_work import all_at_work, span
from lynkeus.web.site import templates

router = APIRouter(include_in_schema=False)


@router.get("/work")
def work(request: Request) -> HTMLResponse:
    """All that the user who serves this page has at work, on machines that share the folder of notes."""
    shown = [
        {"one": one, "left": None if one.left_s is None else span(one.left_s), "ran": span(one.at_s - one.begun_s)}
        for one in all_at_work()
    ]
    return templates.TemplateResponse(request, "work.html", {"shown": shown})
