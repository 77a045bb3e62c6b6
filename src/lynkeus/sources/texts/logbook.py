"""Entries of an electronic logbook as its server keeps them (elog): attributes, a line of signs, and the text."""

from __future__ import annotations

import re
from collections.abc import Iterator

BEGIN = re.compile(r"^\$@MID@\$:\s*(\d+)\s*$", re.MULTILINE)
LINE = re.compile(r"^={20,}\s*$", re.MULTILINE)
ATTRIBUTE = re.compile(r"^([A-Za-z][\w \-/]*):\s?(.*)$")
TAGS = re.compile(r"<[^>\n]{1,200}>")


def is_logbook(text: str) -> bool:
    """Return whether a text begins as a file of entries does."""
    return bool(BEGIN.match(text.lstrip()[:200]))


def entries_of(text: str) -> Iterator[dict[str, str]]:
    """Yield the attributes of each entry, with its number as `id` and its text, without tags of HTML, as `text`."""
    starts = list(BEGIN.finditer(text))
    for begin, following in zip(starts, [*starts[1:], None], strict=True):
        own = text[begin.end() : following.start() if following else len(text)]
        parts = LINE.split(own, maxsplit=1)
        entry = {"id": begin.group(1)}
        for line in parts[0].splitlines():
            found = ATTRIBUTE.match(line)
            if found:
                entry[found.group(1).strip().lower()] = found.group(2).strip()
        body = parts[1] if len(parts) > 1 else ""
        entry["text"] = TAGS.sub(" ", body).strip() if "html" in entry.get("encoding", "").lower() else body.strip()
        yield entry
