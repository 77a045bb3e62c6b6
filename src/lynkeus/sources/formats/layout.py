"""Layout: where in a file the channels, their names and their times are, written as a small TOML file.

One layout serves every format: for Parquet and CSV a "dataset" is a column. `--layout NAME` picks one that the
package ships, `--layout FILE.toml` a user's own.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import MISSING, asdict, dataclass, fields, replace
from functools import cache
from importlib import import_module, resources
from pathlib import Path
from typing import Any

from lynkeus.core.errors import SettingsError
from lynkeus.files.damaged import in_short, in_time, one_line
from lynkeus.files.settings_text import parse_toml, read_text
from lynkeus.sources.formats.given import check_known, check_texts, positive, texts
from lynkeus.sources.formats.times.epochs import CLOCKS

TABLES = {  # what reads a table of its own is imported where there is one
    "clouds": "lynkeus.sources.clouds.linked.layout:linked",
    "pads": "lynkeus.sources.pads.described:pad_layout",
    "events": "lynkeus.sources.events.layout:event_layout",
}
YAML = (".yaml", ".yml")
AXES = ("channel,time", "time,channel", "row,column")  # of a sample of an array


@dataclass(frozen=True)
class Block:
    """One dataset of channels: (rows, channels), or (rows,) for a single channel.

    A channel is called `name/suffix`, where the name comes from the layout's `names`. `transpose`: the dataset is
    (channels, rows); `bits`: so many of the lowest bits of whole numbers are a channel each, 0 or 1.
    """

    dataset: str
    suffix: str = ""
    unit: str = ""
    transpose: bool = False
    bits: int = 0

    def __post_init__(self) -> None:
        check_texts(self, "blocks")
        if not self.dataset:
            raise SettingsError("blocks.dataset: must not be empty")
        if not isinstance(self.transpose, bool):
            raise SettingsError(f"blocks.transpose: must be true or false, got {self.transpose!r}")
        if not isinstance(self.bits, int) or not 0 <= self.bits <= 64:
            raise SettingsError(f"blocks.bits: must be a whole number up to 64, got {self.bits!r}")


@dataclass(frozen=True)
class Times:
    """Times in a dataset, in a `unit` of CLOCKS (since 1970 UTC, and others), or a fixed rate that starts at `start_ns`
    where the file holds none.

    `nanos`: a second dataset, of nanoseconds to be added. Of text: `clock` is the column of the time of the day where
    `dataset` holds dates only, and `day_first` says which number of 11/12/2023 is the day (None: found from the data).
    """

    dataset: str = ""
    unit: str = "ns"
    sample_rate_hz: float | None = None
    start_ns: int = 0
    nanos: str = ""
    clock: str = ""
    day_first: bool | None = None

    def __post_init__(self) -> None:
        check_texts(self, "times")
        if self.unit not in CLOCKS:
            raise SettingsError(f"times.unit: must be one of {', '.join(CLOCKS)}, got {self.unit!r}")
        if bool(self.dataset) == (self.sample_rate_hz is not None):
            raise SettingsError("times: give either a dataset or a sample_rate_hz")
        if self.sample_rate_hz is not None and not positive(self.sample_rate_hz):
            raise SettingsError(f"times.sample_rate_hz: must be a positive number, got {self.sample_rate_hz!r}")
        if not isinstance(self.start_ns, int):
            raise SettingsError(f"times.start_ns: must be a whole number, got {self.start_ns!r}")
        if not (self.day_first is None or isinstance(self.day_first, bool)):
            raise SettingsError(f"times.day_first: must be true or false, got {self.day_first!r}")

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns or datasets that are read for the times."""
        return tuple(name for name in (self.dataset, self.nanos, self.clock) if name)


@dataclass(frozen=True)
class PulseDataset:
    """Waveforms of RF pulses, one `dataset` (2 * signals, sample, pulse) for each cavity: `*` stands for its name.

    Each of the `signals` is an amplitude followed by a phase in degrees. They are turned into I and Q, and `average`
    samples at `sample_rate_hz` become one. `pid`: dataset with the number of each macro-pulse, of which there are
    `pulse_rate_hz`.
    """

    dataset: str
    pid: str
    signals: tuple[str, ...]
    sample_rate_hz: float
    average: int = 1
    pulse_rate_hz: float = 10.0

    def __post_init__(self) -> None:
        check_texts(self, "pulses")
        if self.dataset.split("/").count("*") != 1:
            raise SettingsError(f"pulses.dataset: must have one part that is '*', the cavity; got {self.dataset!r}")
        if not self.signals or not all(isinstance(name, str) for name in self.signals):
            raise SettingsError(f"pulses.signals: must be a list of names, got {self.signals!r}")
        for name in ("sample_rate_hz", "pulse_rate_hz"):
            if not positive(getattr(self, name)):
                raise SettingsError(f"pulses.{name}: must be a positive number, got {getattr(self, name)!r}")
        if not isinstance(self.average, int) or self.average < 1:
            raise SettingsError(f"pulses.average: must be a whole number from 1 on, got {self.average!r}")


@dataclass(frozen=True)
class Layout:
    """How to read one kind of file as a table, or as pulses; what is left out is found by looking at the file.

    `names`: dataset of channel names, `strip`: regular expression of what to cut from each name; `unit`: of all
    channels whose block gives none; `truth`: dataset of labels (0 normal); `weight`: dataset of how much each row
    counts. Without `blocks` all other numbers of the file are channels; without `times` a dataset called `time_ns` is
    taken where there is one, likewise `truth`; weights are taken only where they are named. `missing`: words of a CSV
    file that stand for a missing value; `axes` of each sample of an array with more than two: "channel,time",
    "time,channel" (waveforms) or "row,column" (images). `numbers`: columns that are known, no channels.
    With `pulses` the file holds waveforms, and the parts about tables are not used; with `weaver` (a data configuration
    of weaver, as its YAML file says it) or `clouds` (a table of its own) it holds clouds of particles, such as jets;
    with `trains` it is a run of the European XFEL, of which these are patterns of the sources that are meant;
    with `pads` (likewise) spectra of pads, with `events` (likewise) a row for each event, by expressions.
    """

    name: str = ""
    instrument: str = ""
    unit: str = ""
    blocks: tuple[Block, ...] = ()
    names: str = ""
    strip: str = ""
    times: Times | None = None
    truth: str = ""
    pulses: PulseDataset | None = None
    weight: str = ""
    missing: tuple[str, ...] = ()
    axes: str = ""
    weaver: dict[str, Any] | None = None
    clouds: dict[str, Any] | None = None
    trains: tuple[str, ...] | None = None
    pads: dict[str, Any] | None = None
    numbers: tuple[str, ...] = ()
    events: dict[str, Any] | None = None

    def __post_init__(self) -> None:
        check_texts(self, "")
        for name in ("missing", "numbers"):
            words = getattr(self, name)
            if not isinstance(words, tuple) or not all(isinstance(word, str) for word in words):
                raise SettingsError(f"{name}: must be a list of words, got {words!r}")
        if self.axes not in ("", *AXES):
            raise SettingsError(f"axes: must be one of {', '.join(map(repr, AXES))}, got {self.axes!r}")
        _check_tables(self)
        if self.weight and self.pulses:
            raise SettingsError("weight: pulses are read without weights; leave it out")
        try:
            re.compile(self.strip)
        except (re.error, OverflowError, RecursionError) as error:
            raise SettingsError(f"strip: {self.strip!r} is not a regular expression ({error})") from error

    def short(self, name: str) -> str:
        """A channel name without what `strip` cuts."""
        if not self.strip:
            return name
        where = f"layout {self.name}: strip, on the name {name!r}"
        with in_time(where, "write a simpler pattern"):  # some patterns take for ever on some names
            return re.sub(self.strip, "", name)

    def present(self, there: Callable[[str], bool], expected: Collection[str]) -> Layout:
        """The same without blocks of one channel that a model `expected` and that are not `there`: a channel that is
        missing is an alarm, and no other kind of file."""
        kept = tuple(
            block
            for block in self.blocks
            if there(block.dataset) or (block.suffix or self.short(block.dataset)) not in expected
        )
        return replace(self, blocks=kept) if kept else self

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON types, so that a model can remember how its data were read."""
        return asdict(self)

    @classmethod
    def from_dict(cls, given: Mapping[str, Any]) -> Layout:
        """Inverse of `to_dict`; raises SettingsError naming a field that does not exist or makes no sense."""
        check_known(cls, given, "")
        made = dict(given)
        blocks = made.pop("blocks", ())
        if not isinstance(blocks, list | tuple):
            raise SettingsError("blocks: must be a list of tables, written [[blocks]]")
        made["blocks"] = tuple(_make(Block, block, "blocks") for block in blocks)
        made |= {name: tuple(made[name]) for name in ("missing", "numbers") if isinstance(made.get(name), list)}
        if made.get("trains") is not None:
            made["trains"] = texts(made["trains"], "trains")
        if made.get("times") is not None:
            made["times"] = _make(Times, made["times"], "times")
        if made.get("pulses") is not None:
            made["pulses"] = _make(PulseDataset, made["pulses"], "pulses")
        return cls(**made)


def shipped_layouts() -> list[str]:
    """Names of the layouts in the package."""
    return sorted(name.rpartition(".")[0] for name in _shipped())


def _shipped() -> list[str]:
    folder = resources.files("lynkeus.sources") / "layouts"
    return [item.name for item in folder.iterdir() if item.name.endswith((".toml", *YAML))]


def read_layout(layout: str | Path | Layout | None) -> Layout:
    """The layout of a shipped name, a TOML file, or weaver's YAML file. Raises SettingsError naming file and field."""
    if layout is None:
        return Layout()
    if isinstance(layout, Layout):
        return layout
    file = str(layout)
    if file.endswith((".toml", *YAML)):
        text = read_text(Path(layout), "the layout")
        with one_line(layout, SettingsError, "mend the layout"):
            return _of_text(text, file, file)
    if file in shipped_layouts():
        return _of_the_package(file)
    shipped = ", ".join(shipped_layouts())
    hint = "; or give a file NAME.toml, or NAME.yaml of weaver"
    raise SettingsError(f"no layout called {file!r}; shipped are: {shipped}{hint}")


@cache
def _of_the_package(name: str) -> Layout:
    """Return a shipped layout, read once: to parse the larger ones takes 50 ms, and `look` tries all of them."""
    file = next(file for file in _shipped() if file.rpartition(".")[0] == name)
    return _of_text((resources.files("lynkeus.sources") / "layouts" / file).read_text(encoding="utf-8"), file, name)


def _of_text(text: str, file: str, name: str) -> Layout:
    return _of_weaver(text, name) if file.endswith(YAML) else _parsed(text, name)


def _check_tables(layout: Layout) -> None:
    """Refuse tables of their own, of clouds, pads or events, that make no sense."""
    name = layout.name or "layout"
    for what, where in TABLES.items():
        own = getattr(layout, what)
        if own is not None and not isinstance(own, dict):
            raise SettingsError(f"{name}: {what}: must be a table, written [{what}]")
        if own is not None:
            module, _, read = where.partition(":")
            getattr(import_module(module), read)(own, name)


def _of_weaver(text: str, name: str) -> Layout:
    from lynkeus.sources.clouds.weaver.configuration import configuration
    from lynkeus.sources.clouds.weaver.text import parsed_yaml

    options = parsed_yaml(text, name)
    configuration(options, name)  # what is wrong in it is said before anything is read
    return Layout(name=name, weaver=options)


def _parsed(text: str, name: str) -> Layout:
    content = parse_toml(text, name)
    try:
        return Layout.from_dict({"name": name} | content)
    except (ValueError, RecursionError) as error:
        raise SettingsError(f"{name}: {in_short(error)}; mend the layout") from error
    except SettingsError as error:
        raise SettingsError(f"{name}: {error}") from error


def _make(cls: Any, given: Any, where: str) -> Any:
    if not isinstance(given, Mapping):
        raise SettingsError(f"{where}: must be a table, got {given!r}")
    check_known(cls, given, where)
    for field in fields(cls):
        if field.default is MISSING and field.name not in given:
            raise SettingsError(f"{where}.{field.name}: is missing")
    return cls(**{name: tuple(value) if isinstance(value, list) else value for name, value in given.items()})
