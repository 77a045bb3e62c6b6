"""What the study looks at: rankings of all classes, their stability, and what shuffling says; then the real table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.stats import spearmanr

from lynkeus.commission.explained.explain import Explained, explain_model
from lynkeus.commission.explained.figures import course, label, largest, overview, pairs, ranking
from lynkeus.commission.figures import save
from lynkeus.core import Batch, Findings, Tagged
from lynkeus.fitting.fitted import Fitted
from lynkeus.sources import InMemory
from lynkeus.studies.htautau_relevance.challenge import challenge

# What was put into the events: inputs by which each class is told, one of which should be among the first ones.
PUT_IN = {
    "ggh": ("m_sv", "m_vis"), "ztt": ("m_sv", "m_vis"), "qqh": ("mjj", "jdeta", "dijetpt", "jpt_2"),
    "tt": ("nbtag", "bpt_1"), "wjets": ("mt_1", "met"), "fakes": ("m_vis", "m_sv", "met", "pt_tt"),
}  # fmt: skip
FIRST = 5  # places of single inputs that are looked at
SHOWN = 20
Lines = list[tuple[str, ...]]


@dataclass(frozen=True)
class RelevanceLook:
    """Expands the networks of all seeds around the test events."""

    def __call__(self, test: Batch, tagged: Sequence[Tagged], folder: Path) -> Findings:
        """Return figures, metrics and tables."""
        models: list[Fitted] = list(tagged[0].models)
        events = InMemory(test)
        found = explain_model(models[0], events, 2, also=models[1:])
        save(overview(found), folder / "overview.svg")
        for output in ("qqh", "ztt"):
            save(ranking(found, output), folder / f"ranking_{output}.svg")
        save(pairs(found, "ztt"), folder / "pairs_ztt.svg")
        save(course(found, "qqh"), folder / "course_qqh.svg")
        figures = {
            "overview.svg": "First order: the mean size of the coefficients, inputs in sigmas, of each class",
            "ranking_qqh.svg": "The largest coefficients of qqH of both orders; marks are other seeds",
            "ranking_ztt.svg": "The same of Z to taus",
            "pairs_ztt.svg": "Second order of Z to taus",
            "course_qqh.svg": "Which input is learned when: qqH, by epoch",
        }
        metrics, tables = _metrics(found), _tables(found)
        real = challenge()
        if real is not None:
            tables["The table of the FAIR-Universe challenge"] = real
        return Findings(figures, metrics, tables)


def _metrics(found: Explained) -> dict[str, float]:
    metrics, hits, agreements, stable = {}, [], [], []
    for output in found.outputs:
        single = [row for row in largest(found, output) if row["order"] == 1]
        first = [row["input"] for row in single[:FIRST]]
        hits.append(float(any(name in first for name in PUT_IN.get(output, ()))))
        metrics[f"{output}.put_in"] = hits[-1]
        agreements.append(
            float(spearmanr([row["relevance"] for row in single], [row["permutation"] for row in single])[0])
        )
        metrics[f"{output}.shuffled"] = agreements[-1]
        models = np.array([row["relevance_models"] for row in single])
        others = [float(spearmanr(models[:, 0], models[:, k])[0]) for k in range(1, models.shape[1])]
        stable.append(float(np.mean(others)))
        metrics[f"{output}.seeds"] = stable[-1]
    return metrics | {
        "put_in": float(np.mean(hits)), "shuffled": float(np.mean(agreements)), "seeds": float(np.mean(stable)),
    }  # fmt: skip


def _tables(found: Explained) -> dict[str, Lines]:
    agree: Lines = [("class", "five largest inputs", "rank correlation with shuffling", "with other seeds")]
    metrics = _metrics(found)
    for output in found.outputs:
        single = [row for row in largest(found, output) if row["order"] == 1][:FIRST]
        agree.append((output, ", ".join(row["input"] for row in single), f"{metrics[f'{output}.shuffled']:.2f}",
                      f"{metrics[f'{output}.seeds']:.2f}"))  # fmt: skip
    head = tuple(cell for output in found.outputs for cell in (output, ""))
    ranked: Lines = [head]
    columns = [largest(found, output)[:SHOWN] for output in found.outputs]
    for rows in zip(*columns, strict=True):
        ranked.append(tuple(cell for row in rows for cell in (label(row), f"{row['relevance']:.2f}")))
    said = [(line,) for line in found.messages]
    tables = {"Rankings, shuffling and seeds": agree, f"The {SHOWN} largest of each class": ranked}
    return tables | ({"What is said of the inputs": [("message",), *said]} if said else {})
