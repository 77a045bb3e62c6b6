"""lynkeus fit: from data to a model folder, with what was learned on the way said in words."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
from collections.abc import Iterator, Sized
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from lynkeus.cli.decided import decided_or, require_data, said_by_people
from lynkeus.cli.learned import say_what_was_learned
from lynkeus.cli.live import recorded
from lynkeus.cli.options import FitOptions, screen
from lynkeus.cli.passes import Passes, saying_which
from lynkeus.cli.weights import with_weights
from lynkeus.core import SettingsError, Source, plugins
from lynkeus.progress import Bar, passes_bar, say

if TYPE_CHECKING:
    from lynkeus.fitting.fitted import Fitted
    from lynkeus.sources import Layout

NEXT_SETTING = re.compile(r",(?=\s*[A-Za-z_][\w.]*=)")
WITH_CONTEXT = ("orbit",)  # scorers to which channels can be named that cause what others see


def fit_and_save(options: FitOptions) -> None:
    """Run `lynkeus fit`: read, fit, calibrate, save, and say what was learned and what was left out."""
    from lynkeus.files.model_folder import check_output
    from lynkeus.fitting.choose import AUTO, choose
    from lynkeus.fitting.fit import FitSettings
    from lynkeus.fitting.fit import fit as fit_model

    check_output(options.output)
    require_data(options)
    if options.run_per_file:
        _fit_runs(options)
        return
    layout, named = _layout_of(options)
    said = said_by_people(options)
    kept = layout if options.layout or (named and not options.meta and "://" not in options.data) else None
    if options.weights and kept is None:
        raise SettingsError(f"--weights {options.weights}: only files of tables have a column of weights; leave it out")
    with passes_bar(screen, "fit") as bar:
        opened, kept = decided_or(options, kept) or with_weights(options, layout, kept, _meant(options))
        source = Passes(recorded(opened, options), bar)
        windows = window_of(options, source)
        options = with_scorer(options, source.source, windows[0])
        names, choice = options.scorer.split(","), None
        settings = FitSettings(
            options.scorer, options_of(options, source), *windows,
            kept.to_dict() if kept else None, labels=options.labels or "",
            intervals=said.intervals if said else (), images=said.images if said else {},
            pads=said.pads if said else {},
        )  # fmt: skip
        # Before the data are read: a mistake in the command should not take a pass over them to be said.
        _check_kinds(names, source, settings.window)
        _say_memory(names, source.source)
        with training(options, bar), saying_which(options.data):
            if names[0] == AUTO:
                choice = choose(source, settings, names[1:], bar.step)
                settings = replace(settings, scorer=choice.best)
            fitted = fit_model(source, settings)
    if int(os.environ.get("RANK", "0")):
        return  # one of several processes that train together; the first one writes
    fitted.save(options.output, _report(fitted))
    # Only now: a kill while the model is written must not cost the training.
    shutil.rmtree(checkpoints(options.output), ignore_errors=True)
    fitted.messages[:] = [line for line in fitted.messages if line not in source.messages]  # said once
    say(screen, [*(said.messages if said else ()), *source.messages])
    if choice is not None:
        say(screen, [*(candidate.line() for candidate in choice.candidates), choice.why])
    if fitted.view.schema.kind != source.schema.kind:
        say(screen, [f"the {source.schema.shape[0]} columns are the pixels of images, and were read as such"])
    say_what_was_learned(fitted, options.output)


def _layout_of(options: FitOptions) -> tuple[Layout, bool]:
    """The layout with what the options say beside it, and whether they say anything."""
    from lynkeus.sources.formats.layout import Block, read_layout

    layout = read_layout(options.layout)
    given: dict[str, Any] = {"truth": options.labels, "weight": options.weights, "axes": options.axes}
    if options.labels and all(name != "auto" and plugins.about(name).labels == "numbers" for name in _named(options)):
        given |= {"truth": "", "numbers": tuple(name.strip() for name in options.labels.split(","))}
    given["blocks"] = (Block(options.array),) if options.array else ()
    if options.select:
        if layout.trains is None:
            raise SettingsError("--select: chooses sources of a run of trains; give --layout extra_data too")
        given["trains"] = tuple(options.select)
    given = {name: value for name, value in given.items() if value}
    return replace(layout, **given), bool(given)


def _named(options: FitOptions) -> list[str]:
    """Return the scorers that the user names."""
    return (options.scorer or "auto").split(",")


def _fit_runs(options: FitOptions) -> None:
    """Learn from a folder of good runs."""
    from lynkeus.files.workers import several_processes
    from lynkeus.fitting.fit import FitSettings
    from lynkeus.fitting.fit import fit as fit_model
    from lynkeus.fitting.verdicts import view_of_runs
    from lynkeus.sources.formats.tables import listed
    from lynkeus.sources.runs.folder import open_runs
    from lynkeus.sources.runs.read import RunFolder

    refused = {
        "--layout": options.layout, "--window": options.window != "0", "--stride": options.stride,
        "--labels": options.labels, "--weights": options.weights, "--for": options.for_time, "--select": options.select,
        "--context": options.context, "--meta": options.meta, "--position": options.position, "--time": options.time,
        "--decisions": options.decisions,
    }  # fmt: skip
    # Refused rather than ignored: who gives an option believes that it does something.
    for name, given in refused.items():
        if given:
            raise SettingsError(f"{name}: has no meaning with --run-per-file; leave it out")
    said = said_by_people(options)
    runs = said.runs if said else {}
    folder = RunFolder(open_runs(options.data, options.tree))
    options = with_scorer(options, folder, 0)
    chosen = settings_of(options.set or [])
    settings = FitSettings(options.scorer, chosen, group=options.group, runs=runs, tree=options.tree)
    with passes_bar(screen, "fit") as bar, training(options, bar), several_processes():
        fitted = fit_model(folder, settings, progress=bar.step)
    if int(os.environ.get("RANK", "0")):
        return
    fitted.save(options.output)
    view = view_of_runs(fitted)
    columns, groups = view.columns, view.columns.groups
    by = f" in {len(groups)} groups by {columns.group}" if columns.group else ""
    read = f"columns {listed(columns.names, 20)}{by}" if columns.names else "runs of histograms"
    events = fitted.reference["events"]
    heard = said.messages if said else ()
    say(screen, [*heard, *fitted.messages, f"{len(events)} good runs, {events.sum():.0f} events, {read}"])
    say(screen, [f"{options.output}: {fitted.name}, {len(view.book.plots)} plots a run"])


def _reads_only(scorer: str | None, kind: str) -> bool:
    """Whether all scorers named read one kind and nothing else: an array of three axes is then meant to be images,
    a file of columns to be hits. What makes maps at conditions takes numbers as they are: they are no pixels."""
    names = (scorer or "auto").split(",")
    known = [plugins.about(name) for name in names if name != "auto"]
    return len(known) == len(names) and all(one.kinds == (kind,) and one.labels != "numbers" for one in known)


def _meant(options: FitOptions) -> dict[str, Any]:
    """Return what kind of samples the scorer makes of files that hold several."""
    pictures, hits = (_reads_only(options.scorer, kind) for kind in ("image", "hit"))
    return {"pictures": pictures, "hits": hits, "text": _text_of(options)}


def _text_of(options: FitOptions) -> str | None:
    """Return the column of texts where texts are meant, "" where it is to be found; None for all other data."""
    names = (options.scorer or "auto").split(",")
    reads = all(name != "auto" and plugins.about(name).kinds == ("text",) for name in names)
    if options.text and not reads:
        raise SettingsError(f"--text {options.text}: only scorers of texts read a column of texts: -s text")
    return options.text if reads else None


def _check_kinds(names: list[str], source: Source, window: int) -> None:
    """Refuse networks for another kind of data, before PyTorch is imported for one line; other scorers say it soon."""
    kind = "waveform" if window else source.schema.kind
    for name in set(names) - {"auto"}:
        about = plugins.about(name)
        if about.runs and kind in about.kinds and source.schema.shape[0] is None:
            raise SettingsError(
                f"the scorer {name} judges whole runs, and these are single samples; see --run-per-file"
            )
        if about.learned and kind not in about.kinds and not (kind == "table" and "image" in about.kinds):
            windows = ": cut windows (--window)" if kind == "table" and "waveform" in about.kinds else ""
            runs = ": for runs there is --run-per-file" if {"cloud", "histogram"} & set(about.kinds) else ""
            raise SettingsError(f"the scorer {name} reads {' or '.join(about.kinds)}, not a {kind}{windows or runs}")


def _say_memory(names: list[str], images: Source) -> None:
    """Say how much memory a fit on images will need before it begins, where the scorer knows it."""
    if images.schema.kind != "image" or not isinstance(images, Sized):
        return
    for name in set(names) - {"auto"}:
        needs = getattr(plugins.load("scorers", name), "memory_bytes", None)
        if needs is not None:
            needed = needs(len(images), *next(iter(images)).values.shape[2:])
            typer.echo(f"{name}: about {needed / 1e9:.1f} GB of memory for {len(images)} images")


def with_scorer(options: FitOptions, source: Source, window: int) -> FitOptions:
    """Return options that name a scorer: where there is none, the recommended one, which is said."""
    if options.scorer:
        return options
    from lynkeus.fitting.recommended import recommended

    name, what = recommended(source, window)
    say(screen, [f"no -s: {name}, which is recommended for {what} (others: lynkeus list scorers; -s auto tries them)"])
    return replace(options, scorer=name)


def options_of(options: FitOptions, source: Source) -> dict[str, Any]:
    """Return the options of the scorer. Raises SettingsError for a metadata column that there is not."""
    found = settings_of(options.set or [])
    for name in ("position", "time"):
        column = getattr(options, name)
        if column:
            known = next(iter(source)).meta
            if column not in known:
                there = ", ".join(known) or "none"
                raise SettingsError(f"--{name} {column}: no such metadata column; there are: {there} (--meta FILE)")
            found[name] = column
    if options.context:
        if options.scorer not in WITH_CONTEXT:
            takes = f"those that take context: {', '.join(WITH_CONTEXT)}"
            raise SettingsError(f"--context: has no meaning for {options.scorer}; leave it out, or -s one of {takes}")
        found["context"] = tuple(options.context)
    return found


@contextlib.contextmanager
def training(options: FitOptions, bar: Bar) -> Iterator[None]:
    """A session for scorers with networks; PyTorch is not even imported for the others.

    Where it is not installed, a scorer that needs it says so itself: of those that hold others some do without.
    """
    names = [name for name in options.scorer.split(",") if name != "auto"]
    learned = any(plugins.about(name).learned for name in names)
    if not learned and options.device == "cuda":
        raise SettingsError(f"{options.scorer} trains no network and needs no --device; leave it out")
    if not learned or find_spec("torch") is None:
        yield
        return
    from lynkeus.training import Session, use_session

    with use_session(Session(options.device, options.precision, checkpoints(options.output), bar.train)):
        yield


def window_of(options: FitOptions, source: Source) -> tuple[int, int]:
    """Rows per window and between windows. Raises SettingsError for what is neither a number nor "auto"."""
    if options.window.isdecimal():
        return int(options.window), options.stride
    if options.window != "auto":
        raise SettingsError(f"--window {options.window}: must be a number of rows, 0 for single rows, or auto")
    from lynkeus.transforms.period import ROWS, window_length

    rows: list[Any] = []
    for batch in source:
        rows.extend(batch.values)
        if len(rows) >= ROWS:
            break
    length = window_length(rows)
    stride = options.stride or max(1, length // 8)
    say(screen, [f"windows of {length} rows every {stride}, by the period of the data"])
    return length, stride


def checkpoints(output: Path) -> Path:
    """Return where a training that was killed goes on from."""
    return output.with_name(output.name + ".checkpoints")


def settings_of(given: list[str]) -> dict[str, Any]:
    """NAME=VALUE as a dictionary, a.b=c nested; numbers, true and false as such; of several with commas between them a
    comma before NAME= begins the next, any other one belongs to a list. Raises SettingsError."""
    from lynkeus.sources.open import value_of

    found: dict[str, Any] = {}
    for text in [part for several in given for part in NEXT_SETTING.split(several)]:
        path, equals, value = text.strip().partition("=")
        if not equals or not path:
            raise SettingsError(f"--set {text}: must be NAME=VALUE, such as latent=8 or training.epochs=20")
        *above, name = path.split(".")
        place = found
        for part in above:
            place = place.setdefault(part, {})
        place[name] = value_of(value)
    return found


def _report(fitted: Fitted) -> dict[str, bytes]:
    """The picture of a training, where there was one."""
    history = getattr(fitted.scorer, "history_", None)
    if history is None:
        return {}
    from lynkeus.training.report import training_figure

    return {"training.svg": training_figure(history)}
