"""What people said of alarms, images and runs, as labels to learn from."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import sqlalchemy as sa

from lynkeus.core.errors import StoreError
from lynkeus.monitor.opinions import Opinion, opinions
from lynkeus.monitor.store import Store

Key = TypeVar("Key")

# What is no label teaches nothing: "unsure" says so itself; "warn" is said of a run that is neither a good example nor
# a bad one; of "not enough data" nothing is known.
ANOMALOUS = {"real": 1, "not real": 0, "defect": 1, "good": 0, "bad": 1}


@dataclass(frozen=True)
class HumanLabels:
    """What people said, as labels: 1 anomalous, 0 good; of each thing the latest opinion.

    `intervals`: (start_ns, end_ns, label) of alarms, by time; `images`: label of each image, by its path; `runs`: label
    of each run, by its name, whichever model was looked at; `pads`: the class of each pad, by "sector/row/pad", of the
    file that was looked at last. `messages` say what was used, and what was left out.
    """

    intervals: tuple[tuple[int, int, int], ...]
    images: Mapping[Path, int]
    runs: Mapping[str, int]
    pads: Mapping[str, str]
    messages: tuple[str, ...]


def human_labels(url: str, monitor: str | None = None) -> HumanLabels:
    """Return what people said in a store; of alarms those of one `monitor`, named where the store holds several.

    Raises StoreError where there is no such store or monitor, or nothing was said that can be learned from.
    """
    require_file(url)
    with contextlib.closing(Store(url)) as store:
        intervals, of_alarms = _intervals(store, monitor)
        of_images = {Path(said.within, said.name): said for said in opinions(store, "image")}  # the last one holds
        of_runs = {said.name: said for said in opinions(store, "run")}
        pads, of_pads = _pads(store)
    messages = (*of_alarms, *_words("images", of_images.values()), *_words("runs", of_runs.values()), *of_pads)
    found = HumanLabels(tuple(sorted(intervals)), _labels(of_images), _labels(of_runs), pads, messages)
    if not (found.intervals or found.images or found.runs or found.pads):
        raise StoreError(f"nobody said in {url} what is good and what is not; say it on the pages (lynkeus serve)")
    return found


def _intervals(store: Store, monitor: str | None) -> tuple[list[tuple[int, int, int]], list[str]]:
    if monitor is None and not store.monitors():
        return [], []
    name = _name(store, monitor)
    latest = {said.alarm_id: said for said in store.verdicts(name)}
    closed = [said for said in latest.values() if said.end_ns is not None]
    used = [(s.start_ns, s.end_ns or 0, ANOMALOUS[s.verdict]) for s in closed if s.verdict in ANOMALOUS]
    messages = _words(f"alarms of {name!r}", (Opinion("alarm", name, "", s.verdict, s.who) for s in closed))
    still = len(latest) - len(closed)
    return used, [*messages, *([f"alarms of {name!r}: {still} still open, left out"] if still else [])]


def _pads(store: Store) -> tuple[dict[str, str], list[str]]:
    """Return the latest label of each pad of the file that was looked at last, and what was said in a line."""
    said = opinions(store, "pad")
    own = [one for one in said if one.within == said[-1].within]
    found = {one.name: one.label for one in own}
    counts = ", ".join(f"{count} {label}" for label, count in sorted(Counter(found.values()).items()))
    return found, [f"pads of {said[-1].within}: {counts}"] if found else []


def _labels(latest: Mapping[Key, Opinion]) -> dict[Key, int]:
    return {key: ANOMALOUS[said.label] for key, said in latest.items() if said.label in ANOMALOUS}


def _words(things: str, latest: Iterable[Opinion]) -> list[str]:
    """Say how many have which label, and which of them teach nothing."""
    counts = Counter(said.label for said in latest)
    used = [f"{count} {label}" for label, count in sorted(counts.items()) if label in ANOMALOUS]
    left = [f"{count} {label}" for label, count in sorted(counts.items()) if label not in ANOMALOUS]
    said = [", ".join(used) or "none used", *([f"left out {', '.join(left)}"] if left else [])]
    return [f"{things}: {'; '.join(said)}"] if counts else []


def require_file(url: str) -> None:
    """A store that is only read is not made."""
    with contextlib.suppress(sa.exc.ArgumentError):
        parsed = sa.make_url(url)
        if parsed.get_backend_name() == "sqlite" and not Path(parsed.database or "").is_file():
            raise StoreError(f"{url}: no such store; give the one that lynkeus watch wrote")


def _name(store: Store, asked: str | None) -> str:
    names = [pulse.monitor.name for pulse in store.monitors()]
    if asked is None and len(names) == 1:
        return names[0]
    if asked not in names:
        wanted = "say whose verdicts with --monitor" if asked is None else f"no monitor {asked!r}"
        raise StoreError(f"{store.address}: {wanted}; it holds {', '.join(names) or 'none'}")
    return str(asked)
