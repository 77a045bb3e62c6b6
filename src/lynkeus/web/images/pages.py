"""The pages that inspect scored images: scans, one scan, one image with its map and labels, and the latent map."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlencode

import numpy as np
from fastapi import APIRouter, Form, HTTPException, Query, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from pydantic import BaseModel, StringConstraints

from lynkeus.core import GoodPatch, SourceError
from lynkeus.monitor.opinions import Opinion, add_opinion, opinions
from lynkeus.web.alarms.evidence import finite
from lynkeus.web.api import Note, Text, Who
from lynkeus.web.guard import PLOT_POLICY, may_post, require_token
from lynkeus.web.images import picture_routes as inspect_pictures
from lynkeus.web.images import pictures
from lynkeus.web.images.latent import latent_points
from lynkeus.web.images.picture_routes import ScansDep, file_of, good_file_of, image_of
from lynkeus.web.images.scans import CLEAR_SPOT, RARE, Scan, ScoredImage, ScoredImages
from lynkeus.web.site import Site, SiteDep, templates

router = APIRouter(prefix="/inspect", include_in_schema=False)
router.include_router(inspect_pictures.router)
PAGE, SPOTS_PAGE = 2500, 100  # images, and spots, of one scan on one page
_PLOTS = {"Content-Security-Policy": PLOT_POLICY}


class ImageSelection(BaseModel):
    """Which images of a scan are shown, in which order, from which on; it travels in the address."""

    only: list[Literal["anomalous", "unlabelled"]] = []
    order: Literal["place", "worst"] = "place"
    start: Annotated[int, Query(ge=0)] = 0

    @property
    def suffix(self) -> str:
        """To be put behind an address, so that the next page keeps the selection; without the start."""
        given = [("only", name) for name in self.only] + [("order", "worst")] * (self.order == "worst")
        return f"?{urlencode(given)}" if given else ""


class LabelForm(BaseModel):
    """What the form of an image sends; `file` proves that the number still means the image that was looked at."""

    label: Literal["good", "defect", "unsure"]
    who: Who
    file: str
    class_name: Annotated[str, StringConstraints(strip_whitespace=True, max_length=80), Text] = ""
    note: Note = ""
    go_on: bool = False


SelectionQuery = Annotated[ImageSelection, Query()]


@router.get("")
def overview(request: Request, site: SiteDep, scans: ScansDep) -> HTMLResponse:
    """Show every scan, the worst first."""
    labels = _labels(site, scans)
    labelled = np.bincount(scans.scan_of, [key in labels for key in scans.keys]).astype(int)
    worst = np.array([scan.worst for scan in scans.scans])
    ranked = [scans.scans[scans.scan_of[row]] for row in scans.worst_first(worst)]
    images = {scan.number: scans.image(scan.worst) for scan in ranked}
    context = {"ranked": ranked, "images": images, "labelled": labelled.tolist(), "rare": RARE, "clear": CLEAR_SPOT}
    return templates.TemplateResponse(request, "inspect.html", context)


@router.get("/scans/{number}")
def scan(request: Request, site: SiteDep, scans: ScansDep, number: int, selection: SelectionQuery) -> HTMLResponse:
    """One scan: score over position, and its images as strips, one per cell."""
    found = _scan(scans, number)
    rows, passing = _selected(site, scans, found, selection)
    chosen = rows[passing]
    images = scans.images(chosen[selection.start : selection.start + PAGE])
    labels = _labels(site, scans)
    strips: dict[str, list[ScoredImage]] = {}
    for image in images:
        strips.setdefault("" if selection.order == "worst" else str(image.about.get("cell", "")), []).append(image)
    context = {
        "scan": found,
        "selection": selection,
        "strips": strips,
        "total": len(chosen),
        "page": PAGE,
        "rare": RARE,
        "label_of": lambda image: labels.get((image.source.images, image.file)),
    }
    return templates.TemplateResponse(request, "scan.html", context, headers=_PLOTS)


@router.get("/scans/{number}/points")
def points(site: SiteDep, scans: ScansDep, number: int, selection: SelectionQuery) -> dict[str, Any]:
    """The scores that the page of a scan draws, in its selection and order."""
    found = _scan(scans, number)
    rows, passing = _selected(site, scans, found, selection)
    shown = rows[passing][selection.start : selection.start + PAGE]
    place, ticks = scans.places(found.rows)
    at = dict(zip(found.rows.tolist(), place.tolist(), strict=True))
    return {
        "number": shown.tolist(),
        "place": [finite(at[row]) for row in shown.tolist()],
        "ticks": ticks,
        "has_angle": "angle_deg" in scans.names,
        "anomaly": [finite(value) for value in scans.anomaly[shown].tolist()],
        "p_value": [finite(value) for value in scans.p_value[shown].tolist()],
        "rare": scans.rare[shown].tolist(),
    }


@router.get("/scans/{number}/spots")
def spots(request: Request, site: SiteDep, scans: ScansDep, number: int, selection: SelectionQuery) -> HTMLResponse:
    """The spots of all images of a scan, the highest first."""
    found = _scan(scans, number)
    rows, passing = _selected(site, scans, found, selection)
    of_image, which = scans.spots_highest_first(rows[passing])
    shown = slice(selection.start, selection.start + SPOTS_PAGE)
    labels = _labels(site, scans)
    context = {
        "scan": found,
        "selection": selection,
        "spots": list(zip(scans.images(of_image[shown]), which[shown].tolist(), strict=True)),
        "total": len(of_image),
        "page": SPOTS_PAGE,
        "has_cell": "cell" in scans.names,
        "has_angle": "angle_deg" in scans.names,
        "clear": CLEAR_SPOT,
        "label_of": lambda image: labels.get((image.source.images, image.file)),
    }
    return templates.TemplateResponse(request, "spots.html", context)


@router.get("/images/{number}")
def image(request: Request, site: SiteDep, scans: ScansDep, number: int, selection: SelectionQuery) -> HTMLResponse:
    """One image to zoom into, its map over it, its spots, the same place earlier, and its labels."""
    one = image_of(scans, number)
    before, after, at, total = _neighbours(site, scans, one, selection)
    earlier = scans.earlier(number)
    try:
        size, trouble = pictures.size_of(file_of(one)), ""
    except SourceError as error:
        size, trouble = None, str(error)
    said = opinions(site.store, "image", str(one.source.images))
    context = {
        "image": one,
        "scan": scans.scans[scans.scan_of[number]],
        "size": size,
        "trouble": trouble,
        "earlier": None if earlier is None else scans.image(earlier),
        "before": before,
        "after": after,
        "at": at,
        "total": total,
        "selection": selection,
        "alike": [[(patch, _is_there(one, patch)) for patch in spot.alike] for spot in one.spots],
        "history": [row for row in said if row.name == one.file],
        "class_names": sorted({row.kind for row in said} - {""}),
        "may_post": may_post(request, site.token),
        "back": urlencode({"back": f"/inspect/images/{number}{selection.suffix}"}),
        "top_sigma": pictures.TOP_SIGMA,
        "clear_below": pictures.CLEAR_BELOW,
    }
    return templates.TemplateResponse(request, "image.html", context)


@router.post("/images/{number}/labels")
def give_label(
    request: Request, scans: ScansDep, number: int, selection: SelectionQuery, said: Annotated[LabelForm, Form()]
) -> Response:
    """Append a label; then the image again, or the next one."""
    site: Site = request.app.state.site
    require_token(request, site.token, "a label")
    one = image_of(scans, number)
    if said.file != one.file:
        raise HTTPException(409, "the images were scored again meanwhile and have other numbers: open the scan again")
    after = _neighbours(site, scans, one, selection)[1]
    more = (said.label, said.who, said.class_name, said.note)
    add_opinion(site.store, Opinion("image", str(one.source.images), one.file, *more))
    to = number if after is None or not said.go_on else after
    return RedirectResponse(f"/inspect/images/{to}{selection.suffix}", 303)


@router.get("/latent")
def latent(request: Request, scans: ScansDep) -> HTMLResponse:
    """Images as points of a plane, coloured by any column."""
    return templates.TemplateResponse(request, "latent.html", headers=_PLOTS)


@router.get("/latent/points")
def latent_map(scans: ScansDep, method: str = "", colour: str = "") -> dict[str, Any]:
    """Return what the latent map draws."""
    try:
        return latent_points(scans, method, colour)
    except SourceError as error:
        raise HTTPException(404, str(error)) from error


def _scan(scans: ScoredImages, number: int) -> Scan:
    if not 0 <= number < len(scans.scans):
        raise HTTPException(404, f"there is no scan {number}")
    return scans.scans[number]


def _is_there(one: ScoredImage, patch: GoodPatch) -> bool:
    """Return whether its picture can be shown; the folder may have been moved since."""
    try:
        return good_file_of(one, patch).path.is_file()
    except SourceError:
        return False


def _labels(site: Site, scans: ScoredImages) -> dict[tuple[Path, str], str]:
    """Return the latest label of each image."""
    folders = {source.images for source in scans.files}
    return {
        (folder, said.name): said.label for folder in folders for said in opinions(site.store, "image", str(folder))
    }


def _selected(site: Site, scans: ScoredImages, scan: Scan, selection: ImageSelection) -> tuple[np.ndarray, np.ndarray]:
    """All rows of a scan in the order asked for, and which of them are to be shown."""
    rows = scans.worst_first(scan.rows) if selection.order == "worst" else scan.rows
    passing = np.ones(len(rows), bool)
    if "anomalous" in selection.only:
        passing &= scans.rare[rows]
    if "unlabelled" in selection.only:
        labels = _labels(site, scans)
        passing &= np.array([scans.keys[row] not in labels for row in rows])
    return rows, passing


def _neighbours(
    site: Site, scans: ScoredImages, one: ScoredImage, selection: ImageSelection
) -> tuple[int | None, int | None, int, int]:
    """The images before and after in the selection, which one of how many this is (0: it is not in the selection)."""
    scan = scans.scans[scans.scan_of[one.number]]
    rows, passing = _selected(site, scans, scan, selection)
    here = int(np.flatnonzero(rows == one.number)[0])
    before, after = rows[:here][passing[:here]], rows[here + 1 :][passing[here + 1 :]]
    at = len(before) + 1 if passing[here] else 0
    return (
        int(before[-1]) if len(before) else None,
        int(after[0]) if len(after) else None,
        at,
        int(passing.sum()),
    )
