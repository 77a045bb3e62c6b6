"""What does the logbook of an accelerator tell: is it new, what was it last time, is it unusual, what is it about?"""

from __future__ import annotations

import json
from importlib import resources

from lynkeus.core import Check, Repeated
from lynkeus.studies.logbook.measured import Told

ENTRIES, SMOKE = 2000, 900
QUESTION = (
    "Shift entries in English and German, with abbreviations and typos; a fifth of the later entries about an event do "
    "not name its device. Which entries are the first report of an event, which entry of the past is like one, which "
    "are unusual, and what is each about? No logbook of an accelerator is public, so all of it is simulated."
)
NOTES = {
    "first reports": "Threads use no labels: devices that were named within a day, and likeness that is rare "
    "elsewhere. Beside them a scorer of words that has learned from labels, both together, and two simple rules. "
    "The simulator writes first reports in words of their own, which labels give away; logbooks do not.",
    "what happened before": "The entry of another, earlier event that is most like each of the last 200 first reports.",
    "unusual entries": "Eight entries that no fault of the simulator writes, in a logbook of others; the limit is "
    "exceeded by 1 % of the entries that were learned from, each judged beside all others.",
    "questions": "Share of right answers about events in another logbook; of a later entry that does not name its "
    "device nobody knows the system.",
}


def logbook(smoke: bool = False) -> Repeated:
    """Return the study."""
    entries = SMOKE if smoke else ENTRIES
    return Repeated(
        "logbook", QUESTION, Told(entries), seeds=(1, 2) if smoke else (1, 2, 3, 4, 5),
        checks=_checks("smoke" if smoke else "full"), notes=NOTES,
        data=f"two logbooks of {entries:,} entries a seed (`sim://logbook?unnamed=0.2`)",
    )  # fmt: skip


def _checks(which: str) -> tuple[Check, ...]:
    """Bounds from `expected.json`, beside this file."""
    text = resources.files(__package__).joinpath("expected.json").read_text(encoding="utf-8")
    bounds = json.loads(text)[which]
    return tuple(Check(metric, bound.get("at_least"), bound.get("at_most")) for metric, bound in bounds.items())
