"""The pictures of the inspection pages: images, maps, and what a spot looks like beside the good patches most like it.

What is shown is looked up by numbers: no address holds the name of a file.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Depends, HTTPException, Response
from fastapi.responses import FileResponse

from lynkeus.core import GoodPatch, SourceError
from lynkeus.web.images import pictures
from lynkeus.web.images.scans import ScoredImage, ScoredImages, StoredSpot
from lynkeus.web.site import SiteDep

router = APIRouter()
_KEPT = {"Cache-Control": "private, max-age=3600"}  # addresses of pictures carry a key of folder and file


def _scans_of(site: SiteDep) -> ScoredImages:
    scans = site.scans
    if scans is None:
        raise HTTPException(
            404, "no image was watched into this store, and no scores were given: start it with --scans scores.parquet"
        )
    return scans


ScansDep = Annotated[ScoredImages, Depends(_scans_of)]


@router.get("/images/{number}/thumbnail")
def thumbnail(scans: ScansDep, number: int) -> Response:
    """Return a small JPEG of an image."""
    return _picture(lambda: pictures.thumbnail(file_of(image_of(scans, number))))


@router.get("/images/{number}/full")
def full(scans: ScansDep, number: int) -> Response:
    """Return the image at full resolution."""
    return _picture(lambda: pictures.full(file_of(image_of(scans, number))))


@router.get("/images/{number}/map")
def overlay(scans: ScansDep, number: int) -> Response:
    """The map as a transparent PNG in fixed colours."""
    one = image_of(scans, number)
    if not one.map or one.source.maps is None:
        raise HTTPException(404, "this image was scored without a map: score again with --maps")
    folder = one.source.maps
    return _picture(lambda: pictures.overlay(pictures.inside(folder, one.map)))


@router.get("/images/{number}/spots/{spot}")
def crop_of_spot(scans: ScansDep, number: int, spot: int) -> Response:
    """Return a spot and what is around it."""
    one, found = _spot(scans, number, spot)
    return _picture(lambda: pictures.crop(file_of(one), found.x, found.y, found.side))


@router.get("/images/{number}/spots/{spot}/good/{patch}")
def crop_of_good(scans: ScansDep, number: int, spot: int, patch: int) -> Response:
    """One of the good patches most like a spot, at the same scale."""
    one, found = _spot(scans, number, spot)
    if not 0 <= patch < len(found.alike):
        raise HTTPException(404, f"there is no good patch {patch}")
    good = found.alike[patch]
    return _picture(lambda: pictures.crop(good_file_of(one, good), good.x, good.y, found.side))


@router.get("/colours.png")
def colours() -> Response:
    """Return the colour bar of all maps."""
    return _picture(pictures.colour_bar)


def image_of(scans: ScoredImages, number: int) -> ScoredImage:
    """Raises HTTPException where there is none of this number."""
    if not 0 <= number < len(scans):
        raise HTTPException(404, f"there is no image {number}")
    return scans.image(number)


def file_of(one: ScoredImage) -> pictures.Shot:
    """Raises SourceError where it is not in the folder of images."""
    return pictures.shot(one.source.images, one.file, one.source.rule, one.source.array)


def good_file_of(one: ScoredImage, patch: GoodPatch) -> pictures.Shot:
    """Raises SourceError where it is not in the folder that the model was fitted on."""
    if one.source.normals is None:
        raise SourceError("the folder of the good images is not known: fit and score again")
    return pictures.shot(one.source.normals, patch.file, one.source.rule, one.source.normals_array)


def _spot(scans: ScoredImages, number: int, spot: int) -> tuple[ScoredImage, StoredSpot]:
    one = image_of(scans, number)
    if not 0 <= spot < len(one.spots):
        raise HTTPException(404, f"there is no spot {spot}")
    return one, one.spots[spot]


def _picture(make: Callable[[], pictures.Picture]) -> Response:
    try:
        made = make()
    except SourceError as error:
        raise HTTPException(404, str(error)) from error
    if isinstance(made.content, Path):
        return FileResponse(made.content, media_type=made.media_type, headers=_KEPT)
    return Response(made.content, media_type=made.media_type, headers=_KEPT)
