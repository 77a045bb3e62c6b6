"""Working points of a tagger: by the background efficiency of its own calibration, or by numbers."""

from __future__ import annotations

from lynkeus.core import CalibrationError, SettingsError
from lynkeus.core.background import Background
from lynkeus.fitting.fitted import Fitted

USUAL = {"loose": 0.1, "medium": 0.01, "tight": 0.001}  # background efficiencies, as b taggers have them
FORM = "loose,medium,tight, or mine=2% (of the background), or mine=0.85 (of the output)"


def thresholds(text: str, fitted: Fitted, output: str) -> dict[str, float]:
    """Return the threshold of an output at each working point, in the order given.

    `text`: names of USUAL, NAME=PERCENT% of jets of all other classes, or NAME=THRESHOLD. Raises SettingsError for
    another form, CalibrationError for a background efficiency that the calibration of the model does not support.
    """
    found: dict[str, float] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, given, value = (word.strip() for word in part.partition("="))
        if not name or not name.replace("_", "").replace("-", "").isalnum():
            raise SettingsError(f"--working-points {text}: {part!r} has no plain name; write {FORM}")
        if name in found:
            raise SettingsError(f"--working-points {text}: {name!r} is named twice")
        if given and not value.endswith("%"):
            found[name] = _number(value, text)
        elif given or name in USUAL:
            share = _number(value[:-1], text) / 100.0 if given else USUAL[name]
            found[name] = _at(fitted, output, share, name)
        else:
            raise SettingsError(f"--working-points {text}: {name!r} is not known; write {FORM}")
    if not found:
        raise SettingsError(f"--working-points: none is named; write {FORM}")
    return found


def _number(text: str, whole: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise SettingsError(f"--working-points {whole}: {text!r} is no number; write {FORM}") from None


def _at(fitted: Fitted, output: str, share: float, name: str) -> float:
    calibration = fitted.calibrations[output]
    if not isinstance(calibration, Background):
        raise SettingsError(f"the scorer {fitted.name} tells no classes apart; give thresholds, such as {name}=0.85")
    try:
        return calibration.working_point(share)
    except CalibrationError as error:
        raise CalibrationError(
            f"{name}: {error}; fit on more jets, or give {name}=PERCENT% or {name}=THRESHOLD"
        ) from error
