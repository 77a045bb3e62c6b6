"""The pages of runs: the list with the trend of every plot, one run, one plot over runs, two runs compared."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal
from urllib.parse import urlencode

from fastapi import APIRouter, Form, HTTPException, Query, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from pydantic import BaseModel, StringConstraints

from lynkeus.core import Verdict
from lynkeus.core.runs import KINDS_OF_CHANGE
from lynkeus.monitor import run_records
from lynkeus.monitor.opinions import Opinion, add_opinion, opinions
from lynkeus.monitor.run_records import RunFilter, StoredRun
from lynkeus.web.api import Ns, Text, Who
from lynkeus.web.guard import may_post, require_token
from lynkeus.web.runs.compare import compare_plots
from lynkeus.web.runs.report import run_html
from lynkeus.web.runs.trends import curve_of, trend_of, worst_runs
from lynkeus.web.runs.words import grouped, run_address
from lynkeus.web.site import NOTE_LENGTH, Site, SiteDep, templates

router = APIRouter(prefix="/runs", include_in_schema=False)
PAGE = 50
SPANS = {"last 200": 200, "last 1000": 1000, "all": 1_000_000}
Word = Annotated[str, StringConstraints(strip_whitespace=True, max_length=500)]
Reason = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=NOTE_LENGTH), Text]


class RunSelection(BaseModel):
    """Which runs are listed, and how many of them the trend shows; it travels in the address."""

    model: Word = ""
    verdict: Literal["", "flagged", "good", "warn", "bad", "not enough data"] = ""
    change: Literal["", "shifted", "gone", "new"] = ""
    group: Word = ""
    search: Word = ""
    span: Literal["last 200", "last 1000", "all"] = "last 200"
    page: Annotated[int, Query(ge=1, le=1_000_000)] = 1

    def filter(self, model: str) -> RunFilter:
        """Return the selection as a filter of the store."""
        return RunFilter(model, self.verdict, self.change, self.group, self.search)

    def address(self, page: int) -> str:
        """The same selection on another page."""
        given = self.model_dump(exclude_defaults=True) | {"page": page}
        return f"/runs?{urlencode(given)}"


class OverrideForm(BaseModel):
    """What the form of a run sends; `number` is the judgement that was looked at."""

    model: str
    run: str
    number: Ns
    verdict: Verdict
    who: Who
    reason: Reason


@router.get("")
def overview(request: Request, site: SiteDep, selection: Annotated[RunSelection, Query()]) -> HTMLResponse:
    """Every run with its verdict, the latest first, and the trend of every plot."""
    known = run_records.models(site.store)
    model = selection.model if selection.model in known else (known[0] if known else "")
    wanted = selection.filter(model)
    listed, total = run_records.runs(site.store, wanted, PAGE, PAGE * (selection.page - 1))
    scores = run_records.plot_scores(site.store, wanted, SPANS[selection.span])
    context = {
        "models": known,
        "model": model,
        "selection": selection,
        "listed": listed,
        "total": total,
        "page_size": PAGE,
        "trend": trend_of(scores),
        "shown": len(scores.runs),
        "spans": SPANS,
        "kinds": KINDS_OF_CHANGE[1:],
        "groups": sorted({plot.group for plot in scores.plots if plot.group} | {selection.group} - {""}),
    }
    return templates.TemplateResponse(request, "runs.html", context)


@router.get("/compare")
def compare(request: Request, site: SiteDep, a: str = "", b: str = "", model: str = "") -> HTMLResponse:
    """Two runs over each other, at equal size."""
    model = model or _model(site, a or b)
    pair = [run_records.run(site.store, model, name) if name else None for name in (a, b)]
    plots = compare_plots(pair[0].record.plots, pair[1].record.plots) if pair[0] and pair[1] else ()
    names, _ = run_records.runs(site.store, RunFilter(model), 200)
    context = {
        "a": a,
        "b": b,
        "model": model,
        "pair": pair,
        "groups": grouped(plots),
        "flagged": sum(record.flagged for record in plots),
        "plots": plots,
        "names": [stored.record.run for stored in names],
    }
    return templates.TemplateResponse(request, "run_compare.html", context)


@router.get("/plot")
def plot(
    request: Request, site: SiteDep, name: str, model: str = "", run: str = "", span: str = "last 200"
) -> HTMLResponse:
    """One plot from run to run; in one run where that is chosen."""
    model = model or _model(site, run)
    span = span if span in SPANS else "last 200"
    scores = run_records.plot_scores(site.store, RunFilter(model), SPANS[span])
    stored = run_records.run(site.store, model, run) if run else None
    record = next((one for one in stored.record.plots if one.plot.name == name), None) if stored else None
    curve = curve_of(scores, name, model, run)
    if curve is None and record is None:
        raise HTTPException(404, f"no run of model {model!r} has a plot {name!r}: choose one from the list of runs")
    context: dict[str, Any] = {"name": name, "model": model, "run": run, "stored": stored, "record": record}
    context |= {"curve": curve, "worst": worst_runs(scores, name), "shown": len(scores.runs)}
    context |= {"span": span, "spans": SPANS}
    return templates.TemplateResponse(request, "run_plot.html", context)


@router.post("/override")
def override(request: Request, site: SiteDep, form: Annotated[OverrideForm, Form()]) -> Response:
    """Append what a person says of a run and show the run again."""
    require_token(request, site.token, "an override")
    stored = _run(site, form.model, form.run, form.number)
    thing = (stored.record.model, stored.record.run)
    add_opinion(site.store, Opinion("run", *thing, form.verdict.value, form.who, note=form.reason))
    return RedirectResponse(run_address(form.run, form.model) + "#overrides", 303)


@router.get("/file")
def file(site: SiteDep, run: str, model: str = "") -> Response:
    """The page of a run as one file to keep or to send."""
    stored = _run(site, model or _model(site, run), run, None)
    html = run_html(stored.record, _said(site, stored))
    name = re.sub(r"[^\w.-]+", "_", run, flags=re.ASCII).strip("._") or "run"
    return Response(
        html, media_type="text/html", headers={"Content-Disposition": f'attachment; filename="{name}.html"'}
    )


@router.get("/named")
def named(request: Request, site: SiteDep, run: str, model: str = "", number: Ns | None = None) -> HTMLResponse:
    """A run whose name cannot be part of a path."""
    return _run_page(request, site, run, model, number)


@router.get("/{run:path}")
def one_run(request: Request, site: SiteDep, run: str, model: str = "", number: Ns | None = None) -> HTMLResponse:
    """One run: verdict, why, every plot over its reference; `number`: as it was judged earlier."""
    return _run_page(request, site, run, model, number)


def _run_page(request: Request, site: Site, run: str, model: str, number: int | None) -> HTMLResponse:
    stored = _run(site, model or _model(site, run), run, number)
    model = stored.record.model
    before, after = run_records.neighbours(site.store, stored)
    context = {
        "stored": stored,
        "record": stored.record,
        "override": stored.override,
        "groups": grouped(stored.record.plots),
        "overrides": _said(site, stored),
        "judgements": run_records.verdict_history(site.store, model, run),
        "before": before,
        "after": after,
        "may_post": may_post(request, site.token),
    }
    return templates.TemplateResponse(request, "run.html", context)


def _model(site: Site, run: str) -> str:
    """The model that judged a run last; without a run, the one that judged last of all."""
    found = run_records.model_of(site.store, run) if run else next(iter(run_records.models(site.store)), "")
    return found or ""


def _said(site: Site, stored: StoredRun) -> list[Opinion]:
    """Return what people said of a run, the latest first."""
    return opinions(site.store, "run", stored.record.model, stored.record.run)[::-1]


def _run(site: Site, model: str, run: str, number: int | None) -> StoredRun:
    stored = run_records.run(site.store, model, run, number)
    if stored is None:
        by = f" that model {model!r} judged" if model else ""
        raise HTTPException(404, f"the store has no run {run!r}{by}: choose one from the list of runs (/runs)")
    return stored
