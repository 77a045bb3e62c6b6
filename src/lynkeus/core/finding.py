"""Finding: what a scorer says of one sample: where, what kind of fault or change, how sure, and in half a sentence."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

Region = Mapping[str, tuple[float, float]]  # of each variable that matters: from, to
NAN = float("nan")


class Spot(NamedTuple):
    """A conspicuous place of an image: pixels to the right and down from its upper left, height in sigmas, area in
    pixels."""

    x: float
    y: float
    sigma: float
    area: float


class GoodPatch(NamedTuple):
    """A place of a good image, in pixels of the `file` ("": not known), and how far it is from what it is compared
    with."""

    file: str
    x: float
    y: float
    distance: float


class Finding(NamedTuple):
    """One thing that a scorer found in one sample.

    `kind` of fault or change ("": not named, "none": all is well; of populations of a run "shifted", "gone", "new");
    `population`, `variable`: what it happened to; `where`: a channel, a plot, a place such as "x 12, y 40"; `size` in
    `unit` (shifted: a ratio where `unit` is "x"; gone: the share that is missing; new: events; images: an area);
    `sigma`: how sure; `region`: from, to in each variable, or in pixels x and y, to outline it in the plots of its
    `group`; `says`: half a sentence for people; `like`: good samples that it resembles most.
    """

    kind: str = ""
    population: str = ""
    variable: str = ""
    where: str = ""
    size: float = 0.0
    unit: str = ""
    sigma: float = 0.0
    region: Region = MappingProxyType({})
    group: str = ""
    says: str = ""
    like: tuple[GoodPatch, ...] = ()


NOTHING = Finding("none")
