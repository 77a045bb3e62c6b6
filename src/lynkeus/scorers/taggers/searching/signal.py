"""Which class of a search is its signal, where nobody says so."""

from __future__ import annotations

from lynkeus.core import Floats, SettingsError, Source

CALLED_SIGNAL = ("signal", "sig", "s")
CALLED_BACKGROUND = ("background", "bkg", "bkgd", "b", "0", "false")


def signal_by_name(classes: tuple[str, ...]) -> str:
    """Return the class that is called a signal, or of two the one that is not called a background; else ""."""
    for chosen in (
        [name for name in classes if name.lower() in CALLED_SIGNAL],
        [name for name in classes if "signal" in name.lower()],
        [name for name in classes if len(classes) == 2 and name.lower() not in CALLED_BACKGROUND],
    ):
        if len(chosen) == 1:
            return chosen[0]
    return ""


def signal_by_points(source: Source, columns: list[int]) -> str:
    """Return the only class whose events lie at several mass points, by the numbers of the `columns`; else ""."""
    names = source.schema.classes
    ends: dict[int, list[Floats]] = {}
    for batch in source:
        points = batch.values[:, columns].astype(float)
        for number in range(len(names)):
            own = points[(batch.truth == number) & ~(points != points).any(axis=1)]
            if len(own):
                low, high = ends.setdefault(number, [own.min(axis=0), own.max(axis=0)])
                ends[number] = [low.clip(max=own.min(axis=0)), high.clip(min=own.max(axis=0))]
    varied = [names[number] for number, (low, high) in ends.items() if (low < high).any()]
    return varied[0] if len(varied) == 1 else ""


def require_signal(found: str, classes: tuple[str, ...]) -> str:
    """Return the name of the signal. Raises SettingsError where there is none."""
    if not found:
        raise SettingsError(f"which class is the signal? give --set signal=NAME, one of {', '.join(classes)}")
    return found
