"""lynkeus study run: one study from its data to its page of results."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lynkeus.cli.options import screen
from lynkeus.progress import passes_bar, say


def run_named(name: str, output: Path, smoke: bool) -> bool:
    """Run a study by its name; return whether all its checks passed. Raises SettingsError for one that cannot run."""
    from lynkeus.core import Comparison, Inquiry, Repeated, SettingsError, Tagging, plugins
    from lynkeus.evaluate.inquiry import run_inquiry
    from lynkeus.evaluate.over_seeds import run_over_seeds
    from lynkeus.evaluate.run_comparison import run_comparison
    from lynkeus.evaluate.run_study import run_study
    from lynkeus.evaluate.tagging.run import run_tagging

    lacking = plugins.declared("studies", name).missing
    if lacking and not smoke:  # said now, not after an hour of statistics
        raise SettingsError(f"the study {name!r} {lacking}")
    study = plugins.load("studies", name)(smoke=smoke)
    with passes_bar(screen, name) as bar:
        steps = bar.step
        runs: dict[type, Any] = {
            Comparison: run_comparison, Tagging: run_tagging, Repeated: run_over_seeds, Inquiry: run_inquiry,
        }  # fmt: skip
        run = runs.get(type(study), run_study)(study, output, steps)
    say(screen, run.lines())
    return bool(run.passed)
