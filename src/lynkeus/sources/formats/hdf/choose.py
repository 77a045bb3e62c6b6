"""Which datasets of an HDF5 file are the channels, how they are called, and how their rows belong together."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path

import h5py

from lynkeus.core.errors import SourceError
from lynkeus.sources.formats.hdf import index as by_index
from lynkeus.sources.formats.hdf import karabo
from lynkeus.sources.formats.hdf.clock import Clock, column_at, head_of
from lynkeus.sources.formats.hdf.uhi import histograms_in
from lynkeus.sources.formats.hdf.views import View, datasets_of, fields_of, is_numbers, kind_of, of_compound
from lynkeus.sources.formats.layout import Block, Layout, Times
from lynkeus.sources.formats.tables import counted, listed
from lynkeus.sources.formats.times.recognise import TIME, recognise

FEW_ROWS = 20  # with fewer, and more columns, a table may be turned
VALUES = ("value", "values", "data")  # of a group that is called as the channel


@dataclass(frozen=True)
class Chosen:
    """The `blocks` of channels; what is to be said (`notes`); `index` where their rows are joined, with the `clock` of
    the joined rows."""

    blocks: tuple[Block, ...]
    notes: tuple[str, ...] = ()
    index: by_index.Index | None = None
    clock: Clock | None = None


def choose(file: h5py.File, path: Path, layout: Layout, expected: Collection[str] = ()) -> Chosen:
    """Choose the channels of a file, as the layout says or, where there is no doubt, by looking. Raises SourceError
    where it cannot be said what is meant."""
    layout = layout.present(lambda name: name in file or of_compound(file, name) is not None, expected)
    chosen = Chosen(_expanded(file, layout)) if layout.blocks else _found(file, path, layout, expected)
    chosen = replace(chosen, notes=(*chosen.notes, *_plots(file, path)))
    views = [view for block in chosen.blocks if (view := view_of(file, block)) is not None]
    if len(views) < len(chosen.blocks) or any(len(view.shape) not in (1, 2) for view in views):
        return chosen  # the reader says which is not there
    if karabo.is_karabo(file) and any(view.name.startswith(("/CONTROL", "/INSTRUMENT")) for view in views):
        index = karabo.by_train(file, views, path)
        raw = karabo.stamps(file, index, layout.times.dataset if layout.times else "")
        times = layout.times or Times(karabo.STAMPS)
        clock = Clock(path, times, fixed=raw) if raw is not None else None
        unread = _not_named(file, path, layout) if layout.blocks else ()
        return replace(chosen, index=index, clock=clock, notes=(*chosen.notes, f"{path}: {index.says}", *unread))
    axes = [by_index.axis_of(file, view) for view in views]
    known = [axis for axis in axes if axis is not None]
    if len(known) < len(views) or len({axis.timed for axis in known}) > 1:
        return chosen
    joined = by_index.joined(known)
    if joined is None:
        return chosen
    name = layout.times.dataset if layout.times else by_index.time_beside(file, known)
    timed = by_index.times_of(file, joined, known, name) if name or known[0].timed else None
    clock = None
    if timed is not None:
        raw, unit = timed
        times = layout.times or Times(known[0].name if known[0].timed else name, unit or "ns")
        clock = Clock(path, times, fixed=raw)
    return replace(chosen, index=joined, clock=clock, notes=(*chosen.notes, f"{path}: {joined.says}"))


def _plots(file: h5py.File, path: Path) -> tuple[str, ...]:
    """The histograms beside the channels, in a line."""
    found = list(histograms_in(file))
    said = f"{path}: left out, as they are plots of a run (--run-per-file) and no samples: {listed(found)}"
    return (said,) if found else ()


def _not_named(file: h5py.File, path: Path, layout: Layout) -> tuple[str, ...]:
    """What a run file has for each train that a layout does not name: a fault in it would not be seen."""
    named = {block.dataset.strip("/") for block in layout.blocks}
    others = [name for dataset, name in karabo.blocks_of(file)[0].items() if dataset.strip("/") not in named]
    if not others:
        return ()
    return (f"{path}: not named by the layout, so not read: {listed(others)}; without a layout all are read",)


def view_of(file: h5py.File, block: Block) -> View | None:
    """Return the rows of a block; None where the file has no such dataset or field."""
    data = file.get(block.dataset)
    if not isinstance(data, h5py.Dataset):
        return of_compound(file, block.dataset)
    return View(data, turned=block.transpose and data.ndim == 2, bits=block.bits)


def _expanded(file: h5py.File, layout: Layout) -> tuple[Block, ...]:
    """The blocks, a compound table as its fields without those that are times or count rows."""
    blocks: list[Block] = []
    for block in layout.blocks:
        data = file.get(block.dataset)
        if not isinstance(data, h5py.Dataset) or not data.dtype.names:
            blocks.append(block)
            continue
        fields = {name: head_of(View(data, name)) for name in fields_of(data)}
        found = recognise(fields)
        aside = {*found.aside, *(found.times.columns if found.times else ())}
        blocks += [Block(f"{block.dataset}/{name}", name, block.unit) for name in fields if name not in aside]
    return tuple(blocks)


def _found(file: h5py.File, path: Path, layout: Layout, expected: Collection[str]) -> Chosen:
    datasets, plots = datasets_of(file), histograms_in(file)
    if plots and not datasets:
        raise SourceError(
            f"{path}: holds no samples but {counted(len(plots), 'histogram')} ({listed(list(plots))}), which are the "
            "plots of a run: lynkeus fit FOLDER --run-per-file reads a folder of such files"
        )
    if karabo.is_karabo(file):
        named, left_out = karabo.blocks_of(file)
        notes = (f"{path}: without one number, or a few, for each train, left out: {listed(left_out)}",)
        return Chosen(tuple(Block(name, suffix) for name, suffix in named.items()), notes if left_out else ())
    tables = [name for name, data in datasets.items() if data.ndim == 2 and data.dtype.kind in "fiu" and _is_wide(data)]
    groups = by_index.groups_with_axes(file)
    if len(groups) > 1 and len(tables) != 1:
        blocks = tuple(Block(name, _called(name)) for name in groups)
        return Chosen(blocks, _others(path, datasets, groups))
    compound = [name for name, data in datasets.items() if data.ndim == 1 and len(fields_of(data)) > 0]
    if len(tables) == 1:
        return _one_table(path, datasets, tables[0])
    if not tables and len(compound) == 1:
        return Chosen(_expanded(file, replace(layout, blocks=(Block(compound[0]),))))
    columns = [name for name, data in datasets.items() if not _is_wide(data) and is_numbers(data.dtype) and data.size]
    if not tables and columns and len({datasets[name].size for name in columns}) == 1:
        return _single(file, path, columns, expected, layout)
    holds = listed([f"{name} {data.shape}" for name, data in datasets.items()])
    raise SourceError(
        f"{path}: {len(tables)} two-dimensional datasets of numbers where one was expected; the file holds {holds}; "
        "say with --layout which to read, or with --array NAME"
    )


def turned_line(path: Path, block: Block, count: int) -> str:
    """Return what to say of a dataset that is read as (channels, rows), or as (rows, channels) after all."""
    order = "(channels, rows)" if block.transpose else "(rows, channels)"
    return (
        f"{path}: {block.dataset} was read as {order}, as there are {count} times; say so by transpose = "
        f"{str(block.transpose).lower()} in its block of a layout"
    )


def _one_table(path: Path, datasets: dict[str, h5py.Dataset], name: str) -> Chosen:
    """The only table; turned where there are as many times as it has columns."""
    rows, columns = datasets[name].shape
    others = _others(path, datasets, [name])
    for other, data in datasets.items():
        if other != name and data.size == columns != rows and data.dtype.kind in "iuf" and TIME.fullmatch(other):
            block = Block(name, transpose=True)
            return Chosen((block,), (*others, turned_line(path, block, columns)))
    if rows < FEW_ROWS < columns:
        others += (
            f"{path}: {name} was read as {rows} rows of {columns} channels; if it is (channels, rows), say transpose = "
            "true in its block of a layout",
        )
    return Chosen((Block(name),), others)


def _single(file: h5py.File, path: Path, names: list[str], expected: Collection[str], layout: Layout) -> Chosen:
    """Datasets of one number a row, all of one length, as a channel each."""
    held = datasets_of(file)
    last = [name.rpartition("/")[2] for name in names]
    called = dict(zip(names, last if len(set(last)) == len(last) else names, strict=True))
    own = {"truth", layout.truth, layout.weight, "time_ns"}
    wanted = [name for name in names if name.rpartition("/")[2] not in own and name not in own]
    views = {name: view for name in wanted if (view := column_at(file, name)) and view.width == 1}
    known = {name for name in views if called[name] in expected}
    found = recognise({n: head_of(view) for n, view in views.items() if view.dtype.kind != "b"}, known=known)
    aside = {name: why for name, why in found.aside.items() if not why.startswith("times")}
    gone = {*found.aside, *(found.times.columns if found.times else ())}
    says = listed([f"{name} ({why})" for name, why in aside.items()])
    notes: tuple[str, ...] = (f"{path}: set aside, as they are no channels: {says}",) if aside else ()
    others = [f"{name} ({kind_of(data)})" for name, data in held.items() if name not in (*names, *own)]
    notes += (f"{path}: not read, as they are no numbers of a row: {listed(others)}",) if others else ()
    blocks = (Block(name, called[name], transpose=view.turned) for name, view in views.items() if name not in gone)
    return Chosen(tuple(blocks), notes)


def _called(name: str) -> str:
    """A dataset by its group where it is only called `value`."""
    above, _, last = name.rpartition("/")
    return above.rpartition("/")[2] if above and last.lower() in VALUES else name


def _is_wide(data: h5py.Dataset) -> bool:
    return data.ndim > 1 and min(data.shape) != 1


def _others(path: Path, datasets: dict[str, h5py.Dataset], used: list[str]) -> tuple[str, ...]:
    """What else holds numbers, in a line."""
    known = (*by_index.IDS, *by_index.TIMES, "truth", "weight")
    beside = tuple(f"_{name}" for name in known)
    others = [
        f"{name} {data.shape}"
        for name, data in datasets.items()
        if name not in used
        and is_numbers(data.dtype)
        and data.ndim
        and (last := name.rpartition("/")[2].lower()) not in known
        and not last.endswith(beside)
    ]
    if not others:
        return ()
    return (f"{path}: read {listed(used)}; left out, unless a layout names them: {listed(others)}",)
