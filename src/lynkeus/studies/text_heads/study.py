"""How often is a question about a text answered rightly, and do the probabilities hold?"""

from __future__ import annotations

import json
from importlib import resources

from lynkeus.core import Check, Repeated
from lynkeus.studies.text_heads.measured import Answers
from lynkeus.studies.text_heads.texts import folder

ENTRIES, SMOKE = 2000, 900
QUESTION = (
    "News, job advertisements and entries of a logbook, each with one answer to be found: how often is it right, how "
    "far are the probabilities off, how fast is it? Beside it the usual way (words and pairs of words by tf-idf, "
    "linear support vectors, without probabilities) on the same texts (the difference is that of each fold), and the "
    "most frequent answer."
)
NOTES = {
    "German news": "1,028 articles of 9 sections, the test part of 10kGNAD (CC BY-NC-SA, not shipped). Target: 0.82.",
    "German news, the first 300 letters": "The same, cut. Target: 0.76.",
    "Polish job advertisements": "The first two digits of the occupation (ISCO), those with at least ten. Target: more "
    "than the usual way (accuracy); where it is less, it is below the target.",
    "entries of a logbook": "Simulated, two languages (`sim://logbook?unnamed=0.2`): the topic of all entries about a "
    "fault. Most later ones name only the device, which has faults of several topics, or nothing.",
}


def text_heads(smoke: bool = False) -> Repeated:
    """Return the study; without real texts (LYNKEUS_DATA) only the simulated logbook."""
    real = folder() is not None and not smoke
    return Repeated(
        "text_heads", QUESTION, Answers(SMOKE if smoke else ENTRIES, real, 3 if smoke else 5),
        seeds=(1, 2) if smoke else (1, 2, 3, 4, 5), checks=_checks("full" if real else "smoke"), notes=NOTES,
        data="five-fold cross-validation: another fifth of the texts is the test of each seed, the rest is learned from"
        + ("" if real else "; only simulated texts, as LYNKEUS_DATA has no others or the study is a small one"),
    )  # fmt: skip


def _checks(which: str) -> tuple[Check, ...]:
    """Bounds from `expected.json`, beside this file."""
    text = resources.files(__package__).joinpath("expected.json").read_text(encoding="utf-8")
    bounds = json.loads(text)[which]
    return tuple(Check(metric, bound.get("at_least"), bound.get("at_most")) for metric, bound in bounds.items())
