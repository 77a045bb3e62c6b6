"""Times of entries, as logbooks write them, as nanoseconds UTC."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import numpy as np

from lynkeus.core.batch import TimesNs

NAMES = ("time_ns", "start_ns", "time", "date", "timestamp", "datetime", "created", "entry time", "when")
NUMBER = re.compile(r"\d{9,19}(\.\d+)?")
FORMS = ("%d.%m.%Y %H:%M:%S", "%d.%m.%Y %H:%M", "%Y/%m/%d %H:%M:%S", "%Y/%m/%d %H:%M", "%d.%m.%Y")
SECONDS, MILLIS, MICROS = 1e11, 1e14, 1e17  # below them a number counts s, ms, us; above them ns


def time_of(words: str) -> int | None:
    """Return a time: seconds to nanoseconds since 1970, ISO 8601, that of mails (elog), or 24.12.2026 18:00; without a
    zone it is UTC. None where it is none of these."""
    text = words.strip()
    if NUMBER.fullmatch(text):
        whole = text.isdecimal()
        number = float(text)
        scale = 10**9 if number < SECONDS else 10**6 if number < MILLIS else 10**3 if number < MICROS else 1
        return int(text) * scale if whole else round(number * scale)
    found = _parsed(text)
    if found is None:
        return None
    found = found if found.tzinfo else found.replace(tzinfo=UTC)
    return int(found.timestamp()) * 10**9 + found.microsecond * 1000


def _parsed(text: str) -> datetime | None:
    for read in (datetime.fromisoformat, parsedate_to_datetime):
        try:
            return read(text)
        except (ValueError, TypeError, IndexError, OverflowError):
            continue
    for form in FORMS:
        try:
            return datetime.strptime(text, form)
        except ValueError:
            continue
    return None


def times_of(columns: dict[str, list[str]]) -> tuple[str, TimesNs | None, int]:
    """Return the column of times, the time of each row (-1 where it has none), and how many have none; "" and None
    where no column holds any."""
    lower = {name.lower(): name for name in columns}
    for name in NAMES:
        if name in lower:
            found = _column(columns[lower[name]])
            if (found >= 0).any():
                return lower[name], found, int((found < 0).sum())
    return "", None, 0


def _column(words: Sequence[str]) -> TimesNs:
    known: dict[str, int] = {}
    for word in words:
        if word not in known:
            found = time_of(word)
            known[word] = -1 if found is None or not 0 <= found < 2**62 else found
    return np.array([known[word] for word in words], np.int64)
