"""Names of devices in a text, however they are written: KLY.03, kly-3 and Klystron 3 are one."""

from __future__ import annotations

import re

LETTERS = 3  # of a name that tell devices apart; what follows is written in many ways
JOINED = re.compile(r"(?<!\w)([^\W\d_]{2,20})[._\-/:]?(\d{1,6})(?!\d)")
SPACED = re.compile(
    r"(?<!\w)([A-ZÄÖÜ][^\W\d_]{2,20}) (\d{1,4})(?![\d%]|[.,:]\d|\s?(?:min|h|s|%|mbar|bar|K|mm|GeV|MeV|MV)\b)"
)
PART = re.compile(r"(?<=[./])([^\W\d_]{2,20})(\d{1,6})(?!\d)")  # as the line in BPME.2241.SA1


def names_in(text: str) -> tuple[str, ...]:
    """Return the devices that a text names, each once, as letters and a number without zeros before it."""
    found = [match.groups() for pattern in (JOINED, SPACED, PART) for match in pattern.finditer(text)]
    return tuple(dict.fromkeys(f"{letters[:LETTERS].upper()}{int(number)}" for letters, number in found))
