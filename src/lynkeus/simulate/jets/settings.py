"""What a user says of the jets that are to be made, checked, and what follows from it."""

from __future__ import annotations

import math
from dataclasses import dataclass

from lynkeus.core.errors import SettingsError
from lynkeus.simulate.jets.classes import CLASSES, RADIUS_LARGE, RADIUS_SMALL

WHO = "sim://jets"


@dataclass(frozen=True)
class Wanted:
    """`classes` in order with their `shares` (sum 1), ranges of `pt` in GeV and of |eta|, and the `radius` of jets."""

    classes: tuple[str, ...]
    shares: tuple[float, ...]
    pt: tuple[float, float]
    eta: float
    radius: float


def wanted(classes: str, pt: str | float, eta: float, radius: float) -> Wanted:
    """Return what was typed: classes "top,qcd" or "top:1,qcd:3", pt "550-650". Raises SettingsError in one line."""
    names, shares = _shares(str(classes))
    if not isinstance(eta, int | float) or not 0 < eta <= 2.5:
        raise SettingsError(f"{WHO}: eta={eta!r} must be a number above 0, at most 2.5 (tracks end there)")
    if not isinstance(radius, int | float) or not 0 <= radius <= 1.5:
        raise SettingsError(f"{WHO}: radius={radius!r} must be a number between 0 (by class) and 1.5")
    large = any(CLASSES[name].large for name in names)
    return Wanted(
        names, shares, _range(str(pt)), float(eta), float(radius or (RADIUS_LARGE if large else RADIUS_SMALL))
    )


def _shares(classes: str) -> tuple[tuple[str, ...], tuple[float, ...]]:
    shares: dict[str, float] = {}
    for part in classes.split(","):
        name, _, share = part.strip().partition(":")
        if name not in CLASSES:
            raise SettingsError(f"{WHO}: no class {name!r}; there are {', '.join(CLASSES)}")
        if name in shares:
            raise SettingsError(f"{WHO}: the class {name!r} is named twice")
        shares[name] = _number(share or "1", f"share of {name}")
    total = sum(shares.values())
    return tuple(shares), tuple(share / total for share in shares.values())


def _range(text: str) -> tuple[float, float]:
    low, dash, high = text.partition("-")
    if not dash:
        raise SettingsError(f"{WHO}: pt={text} must be a range in GeV such as 550-650")
    ends = _number(low, "pt"), _number(high, "pt")
    if not 10 <= ends[0] < ends[1] <= 5000:
        raise SettingsError(f"{WHO}: pt={text} must rise, from at least 10 to at most 5000 GeV")
    return ends


def _number(text: str, what: str) -> float:
    try:
        number = float(text)
    except ValueError as error:
        raise SettingsError(f"{WHO}: {what} {text!r} is no number") from error
    if not math.isfinite(number) or number <= 0:
        raise SettingsError(f"{WHO}: {what} {text!r} must be above 0")
    return number
