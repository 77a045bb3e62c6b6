"""lynkeus watch: alarms of a stream of windows, or verdicts on the runs of a folder that grows."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from lynkeus.cli.options import WatchOptions, open_as_fitted, screen
from lynkeus.core import SettingsError
from lynkeus.progress import say

if TYPE_CHECKING:
    from lynkeus.fitting.fitted import Fitted
    from lynkeus.monitor.site import Site


def watch_data(options: WatchOptions) -> int:
    """Run the command; the exit code is 1 where something was found."""
    from lynkeus.fitting.fitted import Fitted
    from lynkeus.monitor.site import Site
    from lynkeus.monitor.store import Store
    from lynkeus.monitor.watch import WatchSettings, check, watch
    from lynkeus.progress import watch_line

    facts = Site.read(options.site).replaced(
        store=options.store, replay=options.replay, budget=options.budget, name=options.name
    )
    fitted = Fitted.load(options.model)
    if fitted.view.alone:
        return _watch_runs(fitted, facts, options)
    settings = WatchSettings(facts.name, facts.title, facts.rule, facts.replay)
    source = open_as_fitted(fitted, options.data, None)
    check(fitted, source, settings)  # before a store is made
    with contextlib.closing(Store(facts.store)) as kept, watch_line(screen) as tick:
        done = watch(fitted, source, kept, settings, tick)
        shown = kept.address
    say(screen, [f"{shown}: {done.windows} windows, {done.alarms} alarms"])
    return 1 if done.alarms else 0


def _watch_runs(fitted: Fitted, facts: Site, options: WatchOptions) -> int:
    from lynkeus.fitting.verdicts import RunVerdicts
    from lynkeus.monitor.store import Store
    from lynkeus.monitor.watch_runs import RunsWatched, watch_runs
    from lynkeus.sources.runs.folder import open_runs

    for name, given in (("--budget", options.budget), ("--name", options.name)):
        if given is not None:
            raise SettingsError(f"{name}: has no meaning for runs; their rate is a share of runs, --false-alarms")
    verdicts = RunVerdicts(fitted, options.false_alarms)
    open_runs(options.data)  # said before a store is made

    def tick(run: RunsWatched) -> None:
        say(screen, run.messages)
        run.messages.clear()

    with contextlib.closing(Store(facts.store)) as kept:
        done = watch_runs(verdicts, options.data, kept, options.replay != 0, tick)
        shown = kept.address
    say(
        screen,
        [f"{shown}: {done.judged} runs judged now, {done.flagged} not good, {done.unjudged} could not be judged"],
    )
    return 1 if done.flagged else 0
