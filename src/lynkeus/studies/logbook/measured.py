"""What is measured for one seed: first reports, entries of one event, entries like one, what is unusual, questions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.metrics import f1_score, roc_auc_score

from lynkeus.core import Array, Batch, Figures, Floats, concatenate
from lynkeus.scorers.texts.scorer import Text
from lynkeus.scorers.texts.unusual import UnusualText
from lynkeus.simulate.logbook.source import Logbook
from lynkeus.sources import InMemory
from lynkeus.sources.wrappers.answered import Answered
from lynkeus.transforms.texts.past import HOUR_NS, Past

UNNAMED = 0.2  # of later entries about an event that do not name its device
STRANGE = (
    "Smell of smoke in the experimental hall, fire brigade called, hall evacuated",
    "Wildschwein im Tunnel gesichtet, Jagdpächter informiert, Zugang gesperrt",
    "Delegation of the ministry visits the control room, please keep the door open",
    "Wasser tropft von der Decke auf den Schaltschrank der Kamera, Eimer aufgestellt",
    "Network of the campus is down, telephone works, mail does not",
    "Strahlenschutz misst erhöhte Dosis am Zaun, Messung wird wiederholt",
    "Coffee machine sparks, safety switch of the kitchen is off",
    "Dieselgenerator läuft im Probebetrieb, Abgase in der Lüftung der Halle",
)  # what no simulator of faults writes


@dataclass(frozen=True)
class Told:
    """`n` entries in a logbook to learn from, and as many in another one."""

    n: int

    def __call__(self, seed: int) -> dict[str, Figures]:
        """Return the figures of all parts."""
        train, test = (concatenate(list(Logbook(self.n, seed=2 * seed + k, unnamed=UNNAMED))) for k in range(2))
        past = Past(list(test.values), test.time_ns)
        return {
            "first reports": first_reports(train, test, past),
            "what happened before": before(test, past),
            "unusual entries": unusual(train, test),
            "questions": questions(train, test),
        }


def first_reports(train: Batch, test: Batch, past: Past) -> Figures:
    """Return how rightly first reports are told from all others."""
    truth = test.meta["first_report"] == 1
    threads = past.threads()
    linked = threads.link >= 0
    same = test.meta["event"][linked] == test.meta["event"][threads.link[linked]]
    text, place = _learned(train, "first_report"), "p_first_report_1"
    p = text.score(test)[:, text.outputs.index(place)]
    found = {
        "threads": _found(truth, threads.first) | {"entries linked to their event": float(same.mean())},
        "threads and words, learned from labels": _found(truth, threads.first & (p > 0.2)),
        "words alone, learned from labels": _found(truth, p > 0.5),
        "all that name a device": _found(truth, np.array([bool(names) for names in past.names])),
        "unlike all of the last day": _found(truth, _unlike(past)),
    }
    return found


def _found(truth: Array, said: Array) -> dict[str, float]:
    return {"precision": float(truth[said].mean()), "recall": float(said[truth].mean()),
            "F1": float(f1_score(truth, said))}  # fmt: skip


def _unlike(past: Past) -> Array:
    """Return (n,) whether an entry is unlike all of the day before it, by the usual likeness of a day."""
    assert past.time_ns is not None
    start = np.searchsorted(past.time_ns, past.time_ns - 24 * HOUR_NS)
    alike = (past.rows @ past.rows.T).toarray()
    best = np.array([alike[k, start[k] : k].max(initial=0.0) for k in range(len(start))])
    found: Array = best < np.median(best)
    return found


def before(test: Batch, past: Past) -> Figures:
    """Return how often the entry that is most like a first report, of another event, is about the same topic and about
    the same device, where one was written of it before."""
    assert past.time_ns is not None
    event, device = test.meta["event"], test.meta["device"]
    asked = np.flatnonzero(test.meta["first_report"] == 1)[-200:]
    alike = (past.rows[asked] @ past.rows.T).toarray()
    rng = np.random.default_rng(0)
    rows: dict[str, list[tuple[bool, bool | float]]] = {
        "nearest entry": [],
        "nearest by words alone": [],
        "any entry": [],
    }
    words = past.terms["words"].rows(list(test.values))
    by_words = (words[asked] @ words.T).toarray()
    for row, (k, own) in enumerate(zip(asked, alike, strict=True)):
        other = (past.time_ns < past.time_ns[k]) & (event != event[k])
        known = bool((device[other] == device[k]).any())
        for name, values in (
            ("nearest entry", own),
            ("nearest by words alone", by_words[row]),
            ("any entry", rng.random(len(own))),
        ):
            best = int(np.argmax(np.where(other, values, -1.0)))
            rows[name].append(
                (test.meta["topic"][best] == test.meta["topic"][k], device[best] == device[k] if known else np.nan)
            )
    return {
        name: {"same topic": float(np.mean([one for one, _ in own])), "same device, where there was one":
               float(np.nanmean(np.array([two for _, two in own], float)))} for name, own in rows.items()
    }  # fmt: skip


def unusual(train: Batch, test: Batch) -> Figures:
    """Return how strange entries stand out of ordinary ones, at a stated share of false alarms."""
    mixed = list(test.values)[: -len(STRANGE)] + list(STRANGE)
    strange = np.arange(len(mixed)) >= len(mixed) - len(STRANGE)
    scorer = UnusualText().fit(InMemory(train))
    good = scorer.unseen(train).scores[:, 0]
    values = np.empty(len(mixed), object)
    values[:] = mixed
    scores = scorer.score(Batch(test.schema, values))[:, 0]
    length = np.array([len(text) for text in mixed], float)
    usual = np.array([len(str(text)) for text in train.values], float)
    return {"unusual_text": _alarms(strange, scores, good), "longer texts": _alarms(strange, length, usual)}


def _alarms(strange: Array, scores: Floats, good: Floats) -> dict[str, float]:
    limit = np.quantile(good[np.isfinite(good)], 0.99)
    return {
        "AUC": float(roc_auc_score(strange, scores)),
        "found at 1 % of the entries learned from": float((scores[strange] > limit).mean()),
        "false in a new logbook": float((scores[~strange] > limit).mean()),
    }


def questions(train: Batch, test: Batch) -> Figures:
    """Return how often questions about entries are answered rightly."""
    named = np.array([device in text for device, text in zip(test.meta["device"], test.values, strict=True)])
    about = test.meta["event"] >= 0  # of routine the answer is none, which is none to learn
    found: dict[str, dict[str, float]] = {
        "text": {},
        "text, entries that name their device": {},
        "most frequent answer": {},
    }
    for head in ("system", "topic", "severity"):
        text = _learned(train, head)
        right = text.further(test)[head] == test.meta[head]
        found["text"][head] = float(right[about].mean())
        found["text, entries that name their device"][head] = float(right[about & named].mean())
        words, counts = np.unique(train.meta[head], return_counts=True)
        often = words[words != "none"][counts[words != "none"].argmax()]
        found["most frequent answer"][head] = float((test.meta[head][about] == often).mean())
    return found


def _learned(train: Batch, head: str) -> Any:
    answers = dict(train.meta) | {head: train.meta[head].astype(str)}
    source = InMemory(Batch(train.schema, train.values, time_ns=train.time_ns, meta=answers))
    return Text(embedding="no", folds=3).fit(Answered(source, (head,), Text.fewest))
