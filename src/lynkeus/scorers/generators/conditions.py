"""What a generator is asked for, and whether it has ever seen that."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from lynkeus.core import Floats, SettingsError


@dataclass(frozen=True)
class Asked:
    """Conditions that are `fixed`, by name."""

    fixed: Mapping[str, float]


def asked_of(names: tuple[str, ...], seen: Floats, given: Mapping[str, float], extrapolate: bool) -> Asked:
    """Return what is asked for. Raises SettingsError for a name that there is not, what is no number, or a number
    outside of the range that was `seen` (n, names), unless one is to `extrapolate`."""
    for name, value in given.items():
        if name not in names:
            there = f"it knows {', '.join(names)}" if names else "it was fitted without conditions (fit --labels NAME)"
            raise SettingsError(f"--set {name}: this generator cannot be asked for that; {there}")
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise SettingsError(f"--set {name}={value}: must be a number")
        own = seen[:, names.index(name)]
        if not own.min() - 1e-9 <= value <= own.max() + 1e-9 and not extrapolate:
            raise SettingsError(
                f"--set {name}={value:g}: is outside of the range {own.min():.4g} to {own.max():.4g} that the "
                "generator has seen; with --set extrapolate=true it is made all the same"
            )
    return Asked(given)
