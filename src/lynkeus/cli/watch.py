"""lynkeus watch: alarms of a stream of windows, or verdicts on the runs or the images of a folder that grows."""

from __future__ import annotations

import contextlib
import getpass
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lynkeus.cli.live import heard, stream_in
from lynkeus.cli.logbook import linking_of
from lynkeus.cli.options import WatchOptions, load_model, open_as_fitted, screen
from lynkeus.cli.tagging import runs_of
from lynkeus.core import SettingsError, about_of
from lynkeus.progress import say

MOST_ALARMS = 10_000  # that are counted as incidents

if TYPE_CHECKING:
    from lynkeus.core import Standing
    from lynkeus.fitting.fitted import Fitted
    from lynkeus.monitor.folders.watch import Files
    from lynkeus.monitor.site import SiteSettings
    from lynkeus.monitor.standing import Maintenance
    from lynkeus.monitor.store import Store
    from lynkeus.monitor.watch import Watched


@dataclass(frozen=True)
class Hooks:
    """What a supervised watch does besides: opens its `store` in another way, says that it is `ready`, and is called
    after each commit (`tick`); `shadow`: nothing is published before that says so."""

    store: Callable[[str], Any] | None = None
    ready: Callable[[Fitted, Any, Any, Callable[[], None]], None] | None = None
    tick: Callable[[Any], None] | None = None
    shadow: bool = False
    folder: Callable[[], None] | None = None  # called before a folder is watched


def watch_data(options: WatchOptions, facts: SiteSettings | None = None, hooks: Hooks | None = None) -> int:
    """Run the command; the exit code is 1 where something was found. `facts`: in place of those of the site file."""
    from lynkeus.monitor.site import SiteSettings

    facts = facts or SiteSettings.read(options.site).replaced(
        store=options.store, replay=options.replay, budget=options.budget, name=options.name, logbook=options.logbook
    )
    fitted, hooks = load_model(options.model), hooks or Hooks()
    if fitted.view.alone:
        return _watch_folder("runs", options, facts, _runs(fitted, options), hooks.folder)
    if about_of(fitted.scorer).tags and fitted.view.schema.kind == "cloud":
        return _watch_folder("runs", options, facts, _runs_of_jets(fitted, options), hooks.folder)
    if fitted.view.kind == "images" and "://" not in options.data:
        return _watch_folder("images", options, facts, _images(fitted, options), hooks.folder)
    for name, given in (("--maps", options.maps), ("--meta", options.meta)):
        if given is not None:
            raise SettingsError(f"{name}: is for files of images; leave it out")
    return _watch_stream(fitted, options, facts, hooks)


def check_watch(options: WatchOptions, facts: SiteSettings) -> None:
    """Raise what `watch_data` would raise at its begin: for a model, files, addresses or a budget that cannot be; no
    server is asked, and nothing is written."""
    from lynkeus.monitor.publish.sink import Sinks
    from lynkeus.monitor.watch import WatchSettings, check

    fitted = load_model(options.model)
    if fitted.view.alone:
        _runs(fitted, options)
    elif about_of(fitted.scorer).tags and fitted.view.schema.kind == "cloud":
        _runs_of_jets(fitted, options)
    elif fitted.view.kind == "images" and "://" not in options.data:
        _images(fitted, options)
    else:
        Sinks(options.publish or [])
        source = open_as_fitted(fitted, options.data, None)
        if stream_in(source) is None or None not in fitted.view.schema.shape:  # else the first frame is waited for
            check(fitted, source, WatchSettings(rule=facts.rule))


def _watch_stream(fitted: Fitted, options: WatchOptions, facts: SiteSettings, hooks: Hooks) -> int:
    from lynkeus.core.incident import incidents
    from lynkeus.monitor.patient import PatientStore
    from lynkeus.monitor.publish.sink import Publishing, Sinks
    from lynkeus.monitor.site import name_in
    from lynkeus.monitor.standing import add_maintenance
    from lynkeus.monitor.store import Store
    from lynkeus.monitor.watch import WatchSettings, check, watch
    from lynkeus.progress import watch_line

    settings = WatchSettings(
        facts.name, facts.title, facts.rule, facts.replay, facts.place, titles=facts.outputs, call=facts.call,
        acknowledge=facts.acknowledge,
    )  # fmt: skip
    masked, sinks = _masked(fitted, options), Sinks(options.publish or [])
    source = open_as_fitted(fitted, options.data, None)
    open_store: Callable[[str], Store] = hooks.store or Store
    if heard(source) is not None:
        settings = replace(settings, speed=0.0)  # it has its own pace
        open_store = hooks.store or partial(PatientStore, tell=lambda line: say(screen, [line]))
    check(fitted, source, settings)  # before a store is made
    linking = linking_of(facts.logbook, options.logbook is not None)
    with (
        contextlib.closing(open_store(facts.store)) as kept, contextlib.closing(sinks), contextlib.closing(linking),
        watch_line(screen) as tick,
    ):  # fmt: skip
        known = [pulse.monitor.name for pulse in kept.monitors()]
        settings = replace(settings, name=name_in(known, settings.name))
        if masked:
            add_maintenance(kept, [replace(one, monitor=settings.name) for one in masked])
            kept_until = f"until {options.until} UTC" if options.until else "until further notice"
            say(screen, [f"masked {kept_until}: {', '.join(one.channel for one in masked)}"])
        say(screen, fitted.extrapolated(settings.rule.budget_per_hour))
        about = Publishing(fitted, settings.rule, kept, settings.name, settings.title, lambda line: say(screen, [line]))

        def publish() -> None:
            say(screen, sinks.begin(about))
            linking.begin(kept, settings.name)

        if not hooks.shadow:
            publish()
        if hooks.ready is not None:
            hooks.ready(fitted, source, kept, publish)
        done = watch(fitted, source, kept, settings, _all(tick, hooks.tick, sinks, linking))
        shown = kept.address
        problems = incidents(stored.alarm for stored in kept.alarms(settings.name, limit=MOST_ALARMS))
    say(screen, linking.messages + [f"  {_stands(one)}" for one in done.standing])
    said = [f"{done.alarms} alarms", *([f"{len(problems)} incidents in the store"] if problems else [])]
    say(screen, [f"{shown}: {done.windows} windows, {', '.join(said)}"])
    return 1 if done.alarms else 0


def _all(*called: Callable[[Watched], None] | None) -> Callable[[Watched], None]:
    """Return one that calls all."""

    def tick(run: Watched) -> None:
        for one in called:
            if one is not None:
                one(run)

    return tick


def _masked(fitted: Fitted, options: WatchOptions) -> list[Maintenance]:
    """Return what the options take out. Raises SettingsError for what makes no sense, before anything is written."""
    from lynkeus.fitting.follow import can_mask
    from lynkeus.monitor.standing import Maintenance, matching

    if not options.mask:
        if options.until is not None or options.reason:
            raise SettingsError("--until and --reason belong to --mask CHANNELS; give that too, or leave them out")
        return []
    if not can_mask(fitted.scorer):
        raise SettingsError(f"--mask: the scorer {fitted.name} cannot leave channels out; fit without them")
    if not options.reason.strip():
        raise SettingsError("--mask: say why with --reason, for those who come after")
    until_ns = time_ns_of(options.until) if options.until else 0
    channels = matching(options.mask, fitted.view.names)
    return [Maintenance("", channel, until_ns, options.reason, getpass.getuser()) for channel in channels]


def time_ns_of(text: str) -> int:
    """Return a time of the command line, UTC where it does not say another zone. Raises SettingsError."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise SettingsError(f"--until {text}: must be a time such as 2026-11-29T18:00 (UTC)") from error
    return round((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()) * 1_000_000_000


def _stands(one: Standing) -> str:
    """Return one line: what stands, since when."""
    at = datetime.fromtimestamp(one.since_ns / 1e9, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    return f"{one.says}, since {at}"


def _watch_folder(
    what: str,
    options: WatchOptions,
    facts: SiteSettings,
    begin: Callable[[Store], Files],
    before: Callable[[], None] | None,
) -> int:
    from lynkeus.monitor.folders.watch import Watched as WatchedFiles
    from lynkeus.monitor.folders.watch import watch_folder
    from lynkeus.monitor.store import Store

    for name, given in (
        ("--budget", options.budget),
        ("--name", options.name),
        ("--mask", options.mask),
        ("--publish", options.publish or None),
        ("--logbook", options.logbook),
    ):
        if given is not None:
            raise SettingsError(f"{name}: has no meaning for {what}; their rate is a share of {what}, --false-alarms")

    def tick(watched: WatchedFiles) -> None:
        say(screen, watched.messages)
        watched.messages.clear()

    with contextlib.closing(Store(facts.store)) as kept:
        if before is not None:
            before()
        done = watch_folder(begin(kept), options.replay != 0, tick)
        shown = kept.address
    said = f"{done.judged} {what} judged now, {done.flagged} not good, {done.unjudged} could not be judged"
    say(screen, [f"{shown}: {said}"])
    return 1 if done.flagged else 0


def _runs(fitted: Fitted, options: WatchOptions) -> Callable[[Store], Files]:
    """What begins a watch of runs; what is wrong is said before a store is made."""
    from lynkeus.fitting.verdicts import RunVerdicts
    from lynkeus.monitor.folders.runs import WatchedRuns
    from lynkeus.sources.runs.folder import open_runs

    for name, given in (("--maps", options.maps), ("--meta", options.meta)):
        if given is not None:
            raise SettingsError(f"{name}: is for images; leave it out")
    verdicts = RunVerdicts(fitted, options.false_alarms)
    open_runs(options.data)
    return lambda store: WatchedRuns(verdicts, options.data, store)


def _runs_of_jets(fitted: Fitted, options: WatchOptions) -> Callable[[Store], Files]:
    """What begins a watch of the scores of a tagger: each file of jets is a run."""
    from lynkeus.fitting.tagged_runs import monitor_of
    from lynkeus.fitting.verdicts import RunVerdicts
    from lynkeus.monitor.folders.runs import WatchedRuns

    for name, given in (("--maps", options.maps), ("--meta", options.meta)):
        if given is not None:
            raise SettingsError(f"{name}: is for images; leave it out")
    find = partial(runs_of, fitted, options.data, None)
    monitor = monitor_of(fitted, options.model.resolve().name)
    verdicts = RunVerdicts(monitor, options.false_alarms)
    find()
    say(screen, monitor.messages[-1:])
    return lambda store: WatchedRuns(verdicts, options.data, store, find)


def _images(fitted: Fitted, options: WatchOptions) -> Callable[[Store], Files]:
    """What begins a watch of images; what is wrong is said before a store is made."""
    from lynkeus.monitor.folders.images import ImageWatch, WatchedImages, check_watch

    meta = Path(options.meta) if options.meta else None
    patience = {"patience_s": 0.0} if options.replay == 0 else {}
    wanted = ImageWatch(options.model, Path(options.data), meta, options.maps, options.false_alarms, **patience)
    check_watch(fitted, wanted)
    return lambda store: WatchedImages(fitted, wanted, store)
