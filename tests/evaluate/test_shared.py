"""Studies in shares: what a kill left is not measured again, and the page says the same."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from lynkeus.core import Batch, Case, Comparison, Figures, Findings, Inquiry, Part, Repeated, Schema
from lynkeus.evaluate.inquiry import run_inquiry
from lynkeus.evaluate.over_seeds import run_over_seeds
from lynkeus.evaluate.run_comparison import run_comparison
from lynkeus.evaluate.run_study import StudyRun
from lynkeus.files.shared import Sharing
from lynkeus.sources import InMemory

Runs = Callable[[Path, Callable[[str, float | None], None] | None, Sharing | None], StudyRun]


def measured(asked: list[str], seed: int) -> dict[str, Figures]:
    asked.append(f"seed {seed}")
    return {"sizes": {"first": {"mean": np.float32(seed), "missing": float("nan")}}}


def answered(asked: list[str], name: str, folder: Path) -> Findings:
    asked.append(name)
    return Findings(metrics={"size": float(len(name))}, tables={"Sizes": [["what"], [name]]})


def seen(asked: list[str], case: str, outcomes: object, folder: Path) -> Findings:
    asked.append(case)
    return Findings(metrics={"looked": 1.0}, tables={case: [["what"], ["seen"]]})


def labelled(seed: int) -> InMemory:
    values = np.random.default_rng(seed).normal(size=(60, 3))
    truth = np.arange(60) % 3 == 0
    values[truth] += 2
    return InMemory(Batch(Schema("table", ("a", "b", "c"), (), (3,)), values, truth=truth.astype(int)))


def study_of(kind: str, asked: list[str]) -> Runs:
    if kind == "seeds":
        return partial(run_over_seeds, Repeated("small", "How large?", partial(measured, asked), (1, 2, 3, 4)))
    if kind == "parts":
        parts = {name: partial(answered, asked, name) for name in ("a", "bb", "ccc", "dddd")}
        return partial(run_inquiry, Inquiry("small", "How large?", parts))
    cases = {f"case {seed}": Case(labelled(seed), labelled(seed + 10)) for seed in range(4)}
    part = Part(cases, {"three_sigma": {}}, look=partial(seen, asked))
    return partial(run_comparison, Comparison("small", "Who?", {"part": part}))


@pytest.mark.parametrize("kind", ["seeds", "parts", "cases"])
def test_a_study_goes_on_after_a_kill(kind: str, tmp_path: Path) -> None:
    asked: list[str] = []
    run = study_of(kind, asked)
    whole = run(tmp_path / "whole", None, None)
    every, count = list(asked), len(asked)
    assert count == 4

    def killed(what: str, share: float | None) -> None:
        if (share or 0.0) >= 0.5:
            raise KeyboardInterrupt

    sharing = Sharing(ledger=tmp_path / "parts" / "small.md")
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "parts", killed, sharing)
    again = run(tmp_path / "parts", None, sharing)
    assert asked[count:] == every  # each of them once
    assert sharing.before == 2
    sharing.finish()
    kept = {name: value for name, value in whole.metrics.items() if not name.endswith("_s")}
    np.testing.assert_array_equal([again.metrics[name] for name in kept], list(kept.values()))
    pages = [(tmp_path / folder / "small.md").read_text().splitlines()[6:] for folder in ("whole", "parts")]
    if kind != "cases":  # whose page has seconds
        assert [line for line in pages[0] if "s of proc" not in line] == [
            line for line in pages[1] if "s of proc" not in line
        ]
