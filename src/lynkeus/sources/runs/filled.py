"""Histograms as they lie in files: ROOT, by itself or in lists, or JSON and HDF5 after the UHI standard.

Names of plots are kept as they are, with the folders before them (`S2/area [SS]`), but for what is the run's own: its
number in a path (`DQMData/Run 370100/Ecal/Run summary/energy`) is no part of the name of a plot.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import boost_histogram as bh
import numpy as np

from lynkeus.core.batch import Array, Floats
from lynkeus.core.errors import SourceError
from lynkeus.core.runs import Plot
from lynkeus.files.damaged import in_short, in_time, one_line
from lynkeus.sources.formats.hdf5_texts import try_texts
from lynkeus.sources.formats.root_files import PROFILE, in_words, is_cut_short, open_root
from lynkeus.sources.runs import profiles
from lynkeus.sources.runs.folder import JSON
from lynkeus.sources.runs.profiles import Profile
from lynkeus.sources.runs.standard import HDF5, Held, in_hdf5, in_json

EVEN = 1e-6  # relative differences of edges, or of their ratios, that do not count
OWN = re.compile(r"(?i)run[ _-]*\d+|0*\d{5,}")  # a folder that is the run's own
OWN_PART = re.compile(r"(?i)[ _-]*run[ _-]*0*\d{4,}|[ _-]0*\d{6,}(?=[ _-]|$)")  # in the name of a folder or a plot


class Filled(NamedTuple):
    """A histogram as it was read: (bins,) sums of weights, underflow and overflow among them, and their (bins,)
    variances, None where each count is its own; `entries`: how often it was filled, as the file says, 0: not said. Of a
    `profile` the counts are its effective entries."""

    plot: Plot
    counts: Floats
    variances: Floats | None = None
    entries: float = 0.0
    profile: Profile | None = None


class Read(NamedTuple):
    """The `plots` of a file by name, the classes of what else it holds (`others`), and why what is `damaged` in it
    cannot be read."""

    plots: dict[str, Filled]
    others: dict[str, str]
    damaged: dict[str, str]

    def why_not(self, name: str) -> str:
        """Return what became of a plot that is not among those that were read; '' where there is nothing of it."""
        within = [name[:end] for end in range(len(name), 0, -1) if end == len(name) or name[end] == "/"]
        for own in within:
            if own in self.damaged:
                part = "" if own == name else f"{own!r}, which it is in, "
                return f"cannot be read ({part}{self.damaged[own]}); it may be damaged: write it again"
        if name in self.others:
            return f"is a {self.others[name]} here, and not as in the good runs: fill it as they do"
        return ""


def read_histograms(path: Path) -> Read:
    """Return all histograms of counts and profiles in a file by name, of one axis or two; one that is damaged costs
    that one. Raises SourceError where the file is damaged, or has none."""
    with one_line(path), in_time(path):
        found = _histograms_in(path)
    if not found.plots and found.damaged:
        first, why = next(iter(found.damaged.items()))
        raise SourceError(f"{path}: none of its histograms can be read, the first, {first!r}: {why}; write it again")
    if not found.plots:
        held = f"holds {in_words(found.others)}, and no histogram" if found.others else "holds no histogram"
        raise SourceError(f"{path}: {held} of one axis or two; write some, or take it out")
    return found


def common_names(names: Sequence[str], stem: str) -> dict[str, str]:
    """Return for each name in the file of a run the one that it has in all runs: without the number of the run, or the
    name `stem` of its file. Names that would then be the same stay as they are."""
    short = {name: _without_run(name, stem) for name in names}
    several = {name for name in short.values() if list(short.values()).count(name) > 1} if len(short) < 5000 else set()
    return {name: name if own in several or not own else own for name, own in short.items()}


def _without_run(name: str, stem: str) -> str:
    *folders, last = name.split("/")
    kept = [folder for folder in folders if not OWN.fullmatch(folder) and folder != stem]
    return "/".join([*(OWN_PART.sub("", folder) or folder for folder in kept), OWN_PART.sub("", last) or last])


def _histograms_in(path: Path) -> Read:
    if path.suffix.lower() == JSON:
        return _json(path)
    if path.suffix.lower() in HDF5:
        try_texts(path)
        held = in_hdf5(path)
        if held:
            return _standard(path, held)
    if path.suffix.lower() == ".root":
        with open_root(path) as content:
            names = common_names([*content.histograms, *content.others, *content.damaged], path.stem)
            plots, damaged = dict[str, Filled](), {names[name]: why for name, why in content.damaged.items()}
            for name, read in content.histograms.items():
                try:
                    plots[names[name]] = _of_root(names[name], read())
                except SourceError:
                    raise
                except Exception as error:  # of uproot, whatever is damaged
                    if is_cut_short(path):
                        raise
                    damaged[names[name]] = in_short(error)
            return Read(plots, {names[name]: cls for name, cls in content.others.items()}, damaged)
    raise SourceError(f"{path}: holds events, but the good runs are histograms; fill the same plots of this run")


def _of_root(name: str, histogram: Any) -> Filled:
    edges = [np.asarray(axis.edges(), float) for axis in histogram.axes]
    titles = [str(axis.member("fTitle")) for axis in histogram.axes]
    labels = [_labels_of(axis.labels(), len(own) - 1) for axis, own in zip(histogram.axes, edges, strict=True)]
    plot = _plot(name, edges, titles, labels)
    if PROFILE.fullmatch(histogram.classname):
        return _of_profile(plot, profiles.of_root(histogram))
    counts = np.asarray(histogram.values(flow=True), float).ravel()
    squares = np.asarray(histogram.variances(flow=True), float).ravel() if len(histogram.member("fSumw2")) else None
    return Filled(plot, counts, squares, float(histogram.member("fEntries")))


def _of_profile(plot: Plot, profile: Profile) -> Filled:
    return Filled(profiles.plot_of(plot), profile.entries, profile=profile)


def _labels_of(labels: Sequence[str] | None, bins: int) -> tuple[str, ...]:
    """Return a label for each bin, its number where it has none; () where no bin has one."""
    given = [str(label) for label in labels or ()][:bins]
    if not any(given):
        return ()
    return tuple((given[k] if k < len(given) else "") or f"bin {k + 1}" for k in range(bins))


def _standard(path: Path, held: Mapping[str, Held]) -> Read:
    """Return the histograms of the UHI standard that a file holds, of one axis or two."""
    names = common_names(list(held), path.stem)
    found = Read({}, {}, {})
    for own, thing in held.items():
        name = names[own]
        if isinstance(thing, str):
            found.others[name] = thing
        elif isinstance(thing, Exception):
            found.damaged[name] = _in_one_line(thing)
        elif thing.ndim not in (1, 2):
            found.others[name] = _class_of(thing)
        else:
            try:
                found.plots[name] = _of_uhi(name, thing)
            except SourceError:
                raise
            except Exception as error:  # of boost-histogram, whatever is wrong
                found.damaged[name] = _in_one_line(error)
    return found


def _json(path: Path) -> Read:
    """Return the histograms of counts in a JSON file (UHI), which holds one, or several by name."""
    try:
        held = in_json(path)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise SourceError(_no_histograms(path, _in_one_line(error))) from error
    found = _standard(path, held)
    if found.damaged and not found.plots:
        raise SourceError(_no_histograms(path, next(iter(found.damaged.values()))))
    return found


def _no_histograms(path: Path, why: str) -> str:
    return f"{path}: is not JSON of histograms ({why}); write it by uhi or boost-histogram"


def _in_one_line(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())}"[:200]


def _class_of(histogram: bh.Histogram) -> str:
    kind = "profile" if histogram.kind == bh.Kind.MEAN else "histogram"
    return f"{kind} of {histogram.ndim} axes" if histogram.ndim > 1 else kind


def _of_uhi(name: str, histogram: bh.Histogram) -> Filled:
    edges = [np.asarray(axis.edges, float) for axis in histogram.axes]
    titles = [str(getattr(axis, "label", "") or getattr(axis, "name", "") or "") for axis in histogram.axes]
    labels = [
        tuple(map(str, axis)) if isinstance(axis, bh.axis.StrCategory) else () for axis in histogram.axes
    ]  # fmt: skip
    flow = [(0 if axis.traits.underflow else 1, 0 if axis.traits.overflow else 1) for axis in histogram.axes]
    plot = _plot(name, edges, titles, labels)
    if histogram.kind == bh.Kind.MEAN:
        return _of_profile(plot, profiles.of_uhi(histogram, flow))
    counts = np.pad(np.asarray(histogram.values(flow=True), float), flow).ravel()
    weighted = histogram.storage_type in (bh.storage.Weight,)
    squares = np.pad(np.asarray(histogram.variances(flow=True), float), flow).ravel() if weighted else None
    return Filled(plot, counts, squares)


def _plot(name: str, edges: Sequence[Array], titles: Sequence[str], labels: Sequence[tuple[str, ...]]) -> Plot:
    """Return the plot of some edges. The variable of a plot with one axis is the plot itself, as others may have the
    same title. Bins with labels are as wide as one another."""
    named = [f"{name}: {title or axis}" for title, axis in zip(titles, "xy", strict=False)]
    if len(set(named)) < len(named):
        named = [f"{name}: x", f"{name}: y"]
    variables = (name,) if len(edges) == 1 else tuple(named)
    even = [np.arange(len(axis), dtype=float) if own else axis for axis, own in zip(edges, labels, strict=True)]
    axes = tuple(tuple(float(edge) for edge in axis) for axis in even)
    return Plot(
        name, variables, axes, name.rpartition("/")[0], tuple(map(_is_log, even)),
        labels=tuple(labels) if any(labels) else (),
    )  # fmt: skip


def _is_log(edges: Array) -> bool:
    """Return whether the edges are spaced evenly in their logarithm."""
    if edges[0] <= 0 or len(edges) < 3:
        return False
    steps = np.diff(np.log(edges))
    return bool(np.ptp(steps) < EVEN * steps[0])
