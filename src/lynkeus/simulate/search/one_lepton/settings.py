"""What a user says of the events that are to be made, checked."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from lynkeus.core.errors import SettingsError
from lynkeus.simulate.search.one_lepton.columns import POINTS, PROCESSES, WHO, masses_of


@dataclass(frozen=True)
class Wanted:
    """`processes` with the `shares` of simulated events; mass `points`, of `data` the first one with the `strength` of
    its signal; `factors` of processes; `tail`: W+jets are scaled by exp(-tail (pt(W) - 200) / 500); `scale` of the
    energies of jets; `luminosity` in 1/fb."""

    processes: tuple[str, ...]
    shares: tuple[float, ...]
    points: tuple[str, ...]
    factors: tuple[float, ...]
    tail: float
    scale: float
    luminosity: float
    strength: float
    data: bool
    engine: str


def pairs(text: str, what: str, default: float | None) -> dict[str, float]:
    """Return "tt1l:0.8,wjets:0.7" as numbers by process. Raises SettingsError in one line."""
    found: dict[str, float] = {}
    for part in filter(None, (one.strip() for one in str(text).split(","))):
        name, colon, value = part.partition(":")
        if name not in PROCESSES:
            raise SettingsError(f"{WHO}: {what}: no process {name!r}; there are {', '.join(PROCESSES)}")
        if name in found:
            raise SettingsError(f"{WHO}: {what}: {name} is named twice")
        if not colon and default is None:
            raise SettingsError(f"{WHO}: {what}: write {name}:NUMBER")
        found[name] = number(value if colon else default, f"{what} of {name}")
    return found


def number(value: object, what: str, least: float = 0.0, most: float = 1e6) -> float:
    """Return a number in a range. Raises SettingsError in one line."""
    try:
        found = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError) as error:
        raise SettingsError(f"{WHO}: {what} must be a number, got {value!r}") from error
    if not (math.isfinite(found) and least <= found <= most):
        raise SettingsError(f"{WHO}: {what} must lie from {least:g} to {most:g}, got {value!r}")
    return found


def wanted(given: Mapping[str, object]) -> Wanted:
    """Return what was typed, checked. Raises SettingsError in one line."""
    shares = pairs(str(given["processes"]), "processes", 1.0)
    total = sum(shares.values())
    if not shares or not total > 0:
        raise SettingsError(f"{WHO}: processes: name at least one of {', '.join(PROCESSES)}")
    factors = pairs(str(given["factors"]), "factors", None)
    data = bool(given["data"])
    points = tuple(filter(None, str(given["points"] or "").split(","))) or (("1900_100",) if data else POINTS)
    for point in points:
        masses_of(point)
    if given["engine"] not in ("fast", "pythia"):
        raise SettingsError(f"{WHO}: engine must be fast or pythia, got {given['engine']!r}")
    return Wanted(
        tuple(shares), tuple(share / total for share in shares.values()), points[:1] if data else points,
        tuple(factors.get(name, 1.0) for name in PROCESSES), number(given["tail"], "tail", -5.0, 5.0),
        number(given["jec"], "jec", 0.5, 1.5), number(given["luminosity"], "luminosity", 1e-6, 1e5),
        number(given["strength"], "strength", 0.0, 1e5), data, str(given["engine"]),
    )  # fmt: skip
