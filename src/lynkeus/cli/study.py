"""lynkeus study run: one study from its data to its page of results."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from lynkeus import __version__
from lynkeus.cli.options import screen
from lynkeus.progress import passes_bar, say


def run_named(name: str, output: Path, smoke: bool, workers: str = "1") -> bool:
    """Run a study by its name; return whether all its checks passed. Raises SettingsError for one that cannot run."""
    from lynkeus.core import Comparison, Inquiry, Repeated, SettingsError, Tagging, plugins
    from lynkeus.evaluate.inquiry import run_inquiry
    from lynkeus.evaluate.over_seeds import run_over_seeds
    from lynkeus.evaluate.run_comparison import run_comparison
    from lynkeus.evaluate.run_study import run_study
    from lynkeus.evaluate.tagging.run import run_tagging
    from lynkeus.files.cluster import workers_of
    from lynkeus.files.shared import Sharing

    lacking = plugins.declared("studies", name).missing
    if lacking and not smoke:  # said now, not after an hour of statistics
        raise SettingsError(f"the study {name!r} {lacking}")
    who = workers_of(workers)
    study = _study(name, smoke)
    with passes_bar(screen, name) as bar:
        head = {"study": name, "smoke": smoke, "version": __version__}
        sharing = Sharing(partial(_study, name, smoke), *who, output / f"{name}.md", head)
        runs: dict[type, Any] = {
            Comparison: run_comparison, Repeated: run_over_seeds, Inquiry: run_inquiry, Tagging: run_tagging,
        }  # fmt: skip
        run = runs.get(type(study), run_study)(study, output, bar.step, sharing)
        sharing.finish()
        if sharing.before:
            say(screen, [f"{sharing.before} of {sharing.count} parts of it were done before, as the ledger said"])
    say(screen, run.lines())
    return bool(run.passed)


def _study(name: str, smoke: bool) -> Any:
    """Return what is asked, also in another process."""
    from lynkeus.core import plugins

    return plugins.load("studies", name)(smoke=smoke)
