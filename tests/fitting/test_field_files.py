"""Tables as accelerators, beam lines and control systems write them: every one is read, or refused with what to do.

Six monitors at 10 Hz with two common motions; in the test +6 on BPM3 in rows 180 to 199.
"""

from __future__ import annotations

import csv
import gzip
import io
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lynkeus.core import LynkeusError
from lynkeus.fitting.fit import FitSettings, fit
from lynkeus.fitting.views.live_channels import FALLS
from lynkeus.sources import Layout, open_source, read_layout
from lynkeus.sources.formats.layout import Block, Times

pytestmark = pytest.mark.slow(0.8)  # each, about: many small fits

T0_NS = 1_700_000_000_000_000_000  # 2023-11-14 22:13:20
NAMES = [f"BPM{number}" for number in range(1, 7)]
FAULTY = slice(180, 200)


class Part(NamedTuple):
    """Values (n, 6), times, and their texts in a style of strftime with milliseconds."""

    name: str
    values: np.ndarray
    ns: np.ndarray

    def dates(self, style: str = "%Y-%m-%d %H:%M:%S", fraction: bool = True) -> list[str]:
        whole = [str(np.datetime64(int(ns), "ns")) for ns in self.ns]
        found = []
        for text in whole:
            date, clock = text.split("T")
            year, month, day = date.split("-")
            hour, minute, second = clock[:8].split(":")
            for key, value in zip("YmdHMS", (year, month, day, hour, minute, second), strict=True):
                text = (style if key == "Y" else text).replace(f"%{key}", value)
            found.append(text + (f".{clock[9:12]}" if fraction else ""))
        return found


def _orbits(rows: int, seed: int) -> np.ndarray:
    rng, mix = np.random.default_rng(seed), np.random.default_rng(0).normal(size=(2, 6))
    latent = np.zeros((rows, 2))
    for row in range(1, rows):
        latent[row] = 0.9 * latent[row - 1] + 0.4 * rng.normal(size=2)
    return (latent @ mix + 0.3 * rng.normal(size=(rows, 6)) + np.arange(6)).round(3)


def _parts() -> tuple[Part, Part]:
    test = _orbits(300, 2)
    test[FAULTY, 2] += 6
    times = np.arange(800) * 10**8
    return Part("train", _orbits(800, 1), T0_NS + times), Part("test", test, T0_NS + 3600 * 10**9 + times[:300])


TRAIN, TEST = _parts()
Write = Callable[[Path, Part], None]


def rows_of(part: Part, **first: Sequence[object]) -> list[list[object]]:
    """Lines of a table: the names, then the columns that come first, and the monitors."""
    columns = [*first.values(), *part.values.T.tolist()]
    return [[*first, *NAMES], *map(list, zip(*columns, strict=True))]


def text_of(rows: Sequence[Sequence[object]], separator: str = ",", decimal: str = ".") -> str:
    out = io.StringIO()
    writer = csv.writer(out, delimiter=separator, lineterminator="\n")
    for row in rows:
        writer.writerow([str(x).replace(".", decimal) if isinstance(x, float) else x for x in row])
    return out.getvalue()


def _plain(part: Part) -> str:
    return text_of(rows_of(part, time=part.dates()))


def _csv(make: Callable[[Part], str], encoding: str = "utf-8") -> Write:
    return lambda path, part: path.with_suffix(".csv").write_text(make(part), encoding=encoding) and None


def _with(name: str, entries: Callable[[Part], list[object]]) -> Write:
    return _csv(
        lambda part: text_of(
            [[*row, more] for row, more in zip(rows_of(part, time=part.dates()), [name, *entries(part)], strict=True)]
        )
    )


def _words(part: Part) -> str:
    rows = rows_of(part, time=part.dates())
    for row in rows[5::50]:
        row[4] = "Disconnected"
    return text_of(rows)


def _databrowser(part: Part) -> str:
    rows = text_of(rows_of(part, Time=part.dates()), "\t").splitlines()
    return "\n".join(["#\tCreated by a data browser", "#", f"# {rows[0]}", *rows[1:]]) + "\n"


def _units(part: Part) -> str:
    lines = _plain(part).splitlines()
    return "\n".join([lines[0], "," + ",".join(["mm"] * 6), *lines[1:]]) + "\n"


def _counted(part: Part) -> str:
    return text_of(rows_of(part, **{"Unnamed: 0": range(len(part.ns)), "time": part.dates()}))


def _karabo(path: Path, part: Part) -> None:
    n = len(part.ns)
    padded, train = (n + 99) // 100 * 100 + 100, 1_300_000_000 + np.arange(n, dtype="u8")
    with h5py.File(path.with_suffix(".h5"), "w") as file:
        file["INDEX/trainId"], file["INDEX/timestamp"] = train, part.ns.astype("u8")
        for column, key in enumerate(("ixPos", "iyPos", "photonFlux")):
            file[f"CONTROL/TST/XGM/{key}/value"] = part.values[:, column].astype("f4")
        keep = np.delete(np.arange(n), 10)
        data, ids = np.zeros((padded, 3), "f4"), np.zeros(padded, "u8")
        data[: n - 1], ids[: n - 1] = part.values[keep, 3:], train[keep]
        file["INSTRUMENT/TST/ADC/1:output/data/intensity"], file["INSTRUMENT/TST/ADC/1:output/data/trainId"] = data, ids
        count = np.where(np.arange(n) == 10, 0, 1).astype("u8")
        file["INDEX/TST/ADC/1:output/data/count"] = count
        file["INDEX/TST/ADC/1:output/data/first"] = (np.cumsum(count) - count).astype("u8")


def _own_index(path: Path, part: Part) -> None:
    with h5py.File(path.with_suffix(".h5"), "w") as file:
        for column, name in enumerate(NAMES):
            seen = np.arange(len(part.ns)) % 101 != column
            for key, values in (("value", part.values[:, column]), ("index", 10**9 + np.arange(len(part.ns))),
                                ("time", part.ns / 1e9)):  # fmt: skip
                file[f"FL0/{name}/{key}"] = values[seen]


def _rates(path: Path, part: Part) -> None:
    with h5py.File(path.with_suffix(".h5"), "w") as file:
        for column, name in enumerate(NAMES):
            every = 10 if name == "BPM6" else 1
            file[f"{name}/value"] = part.values[::every, column]
            file[f"{name}/time"] = part.ns[::every] / 1e9


def _h5(**given: Callable[[Part], Any]) -> Write:
    def write(path: Path, part: Part) -> None:
        with h5py.File(path.with_suffix(".h5"), "w") as file:
            for name, make in given.items():
                file[name] = make(part)

    return write


def _relative(path: Path, part: Part) -> None:
    with h5py.File(path.with_suffix(".h5"), "w") as file:
        file["log/value"], file["log/time"] = part.values, (part.ns - part.ns[0]) / 1e9
        file["log/time"].attrs["start"] = str(np.datetime64(int(part.ns[0]), "ns"))


def _compound(part: Part) -> np.ndarray:
    table = np.zeros(len(part.ns), [("time", "f8"), *((name, "f4") for name in NAMES)])
    table["time"] = part.ns / 1e9
    for column, name in enumerate(NAMES):
        table[name] = part.values[:, column]
    return table


def _parquet(make: Callable[[Part], dict[str, Any]]) -> Write:
    def write(path: Path, part: Part) -> None:
        times = pa.array(part.ns, pa.timestamp("ns"))
        pq.write_table(pa.table({"time": times} | make(part)), path.with_suffix(".parquet"))

    return write


def _struct(part: Part) -> dict[str, Any]:
    xy = pa.StructArray.from_arrays([pa.array(part.values[:, 2]), pa.array(part.values[:, 1])], ["x", "y"])
    return {"bpm": xy, "q": part.values[:, 4]}


def _listed(part: Part) -> dict[str, Any]:
    more = {"interlock": np.arange(len(part.ns)) % 150 == 0, "vec": [[1.0, 2.0]] * len(part.ns)}
    return dict(zip(NAMES, part.values.T, strict=True)) | more


def _npz(path: Path, part: Part) -> None:
    np.savez(path.with_suffix(".npz"), data=part.values, time=part.ns)


def _npy(values: Callable[[Part], np.ndarray]) -> Write:
    return lambda path, part: np.save(path.with_suffix(".npy"), values(part))


SECONDS = Times("t", "s")
# name: how it is written, what is said of it, the layout, the channel that has the fault
READ: dict[str, tuple[Write, str, Layout | None, str]] = {
    "epoch": (_csv(lambda p: text_of(rows_of(p, timestamp=(p.ns / 1e9).tolist()))), "seconds since 1970", None, "BPM3"),
    "milli": (_csv(lambda p: text_of(rows_of(p, t=(p.ns // 10**6).tolist()))), "milliseconds since", None, "BPM3"),
    "nanos": (
        _csv(lambda p: text_of(rows_of(p, secs=(p.ns // 10**9).tolist(), nanos=(p.ns % 10**9).tolist(),
                                       severity=[0] * len(p.ns)))),
        "secs and nanos", None, "BPM3",
    ),
    "counter": (_csv(_counted), "Unnamed: 0 (counts rows)", None, "BPM3"),
    "seconds": (
        _csv(lambda p: text_of(rows_of(p, time=p.dates(fraction=False)))), "keep their order", None, "BPM3",
    ),
    "semicolon": (
        _csv(lambda p: text_of(rows_of(p, Zeit=p.dates("%d.%m.%Y %H:%M:%S")), ";", ",")),
        "decimal commas", None, "BPM3",
    ),
    "day_first": (
        _csv(lambda p: text_of(rows_of(p, time=p.dates("%d.%m.%Y %H:%M:%S")))), "the day first", None, "BPM3",
    ),
    "slashes": (
        _csv(lambda p: text_of(rows_of(p, time=p.dates("%m/%d/%Y %H:%M:%S")))), "the month first", None, "BPM3",
    ),
    "two": (
        _csv(lambda p: text_of(rows_of(p, Date=[d[:10] for d in p.dates("%Y/%m/%d %H:%M:%S")],
                                       Time=[d[11:] for d in p.dates()]))),
        "Date and Time", None, "BPM3",
    ),
    "browser": (_csv(_databrowser), "separated by tabs", None, "BPM3"),
    "blanks": (
        _csv(lambda p: "# " + text_of(rows_of(p, t=(p.ns / 1e9).tolist()), " ")), "separated by blanks", None, "BPM3",
    ),
    "units": (_csv(_units), "a line of units", None, "BPM3"),
    "latin1": (_csv(lambda p: _plain(p).replace("BPM1", "BPM1 [µm]"), "latin-1"), "in Latin-1", None, "BPM3"),
    "utf16": (_csv(_plain, "utf-16"), "in UTF-16", None, "BPM3"),
    "states": (_with("severity", lambda p: ["NO_ALARM"] * len(p.ns)), "severity (NO_ALARM", None, "BPM3"),
    "words": (_csv(_words), "'Disconnected' ", None, "BPM3"),
    "karabo": (_karabo, "joined by train, 1 entries", None, "TST/XGM/photonFlux"),
    "own_index": (_own_index, "joined by their index", None, "BPM3"),
    "rates": (_rates, "1 of them slower", None, "BPM3"),
    "relative": (_relative, "counted from the moment", Layout(blocks=(Block("log/value"),),
                                                               times=Times("log/time", "s")), "value/2"),
    "compound": (_h5(table=_compound), "seconds since 1970", None, "BPM3"),
    "turned": (
        _h5(orbit=lambda p: p.values.T, t=lambda p: (p.ns / 1e9)[None, :]), "transpose = true",
        Layout(blocks=(Block("orbit"),), times=SECONDS), "orbit/2",
    ),
    "columns": (
        _h5(a=lambda p: p.values[:, 2], b=lambda p: p.values[:, 3], c=lambda p: p.values[:, 4], t=lambda p: p.ns),
        "nanoseconds since 1970", None, "a",
    ),
    "bits": (
        _h5(orbit=lambda p: p.values, time_ns=lambda p: p.ns, lock=lambda p: np.arange(len(p.ns)) % 150 == 0), "",
        Layout(blocks=(Block("orbit"), Block("lock")), times=Times("time_ns")), "orbit/2",
    ),
    "struct": (_parquet(_struct), "", None, "bpm.x"),
    "list": (_parquet(_listed), "left out: vec", None, "BPM3"),
    "signal": (_npy(lambda p: p.values[:, 2]), "", None, "column_0"),
    "names": (_npz, "data was read", None, "column_2"),
}  # fmt: skip


def _written(folder: Path, write: Write, part: Part) -> Path:
    write(folder / part.name, part)
    return next(folder.glob(f"{part.name}.*"))


def judged(train: Path, test: Path, layout: Layout | None) -> tuple[np.ndarray, list[str], int | None, list[str]]:
    """p-values of the test rows, the channel of each, the first time, and all that was said."""
    source = open_source(train, layout)
    kept = None if layout is None else layout.to_dict()
    fitted = fit(source, FitSettings("mahalanobis", layout=kept))
    said = [*source.messages, *fitted.messages]
    prepared = fitted.prepare(open_source(test, layout, expected=fitted.view.schema))
    scored = list(fitted.score_prepared(prepared))
    p_values = np.concatenate([one.p_values[:, 0] for one in scored])
    where = [name for one in scored for name in one.where(0).tolist()]
    time_ns = scored[0].batch.time_ns
    return p_values, where, None if time_ns is None else int(time_ns[0]), [*said, *prepared.messages]


@pytest.mark.parametrize("name", READ)
def test_a_table_as_it_is_written_is_read(tmp_path: Path, name: str) -> None:
    write, says, layout, channel = READ[name]
    p_values, where, begin, said = judged(_written(tmp_path, write, TRAIN), _written(tmp_path, write, TEST), layout)
    assert len(p_values) == 300
    known = np.isfinite(p_values[FAULTY])
    assert (p_values[FAULTY][known] < 0.01).mean() >= 0.95
    assert {where[row] for row in range(180, 200)} - {""} == {channel}
    assert np.delete(p_values < 0.01, np.r_[FAULTY]).mean() < 0.05
    assert begin in (None, TEST.ns[0])
    assert begin is not None or name == "signal"
    assert any(says in line for line in said) or not says


def _local(path: Path, part: Part) -> None:
    hours = [
        f"2021-10-31 {2 + (row // 360 == 1) * 0:02d}:{row % 360 // 6:02d}:{row % 6 * 10:02d}" for row in range(720)
    ]
    path.with_suffix(".csv").write_text(
        text_of([["time", "a"], *([when, 0.1 * k % 1] for k, when in enumerate(hours))])
    )


REFUSED: dict[str, tuple[Write, str, Layout | None]] = {
    "ms_called_ns": (
        _csv(lambda p: text_of(rows_of(p, time_ns=(p.ns // 10**6).tolist()))), r"of 1970; .* did you mean ms\?", None,
    ),
    "ns_called_s": (
        _h5(orbit=lambda p: p.values, t=lambda p: p.ns), r"outside 1970 to 2100; .* did you mean ns\?",
        Layout(blocks=(Block("orbit"),), times=SECONDS),
    ),
    "local_clock": (_local, "an hour comes twice .* write the times in UTC, or with an offset", None),
    "newest_first": (_csv(lambda p: text_of(rows_of(Part(p.name, p.values, p.ns[::-1]),
                                                    time=Part(p.name, p.values, p.ns[::-1]).dates()))),
                     "newest row comes first", None),
    "ambiguous": (
        _csv(lambda p: text_of(rows_of(p, time=[f"05/06/2023 {d[11:]}" for d in p.dates()]))),
        r"'05/06/2023 .*' the day or the month first\?", None,
    ),
    "unknown_word": (
        _csv(lambda p: _words(p).replace("Disconnected", "kaputt")), r"'kaputt' is not a number; .*missing = \[", None,
    ),
    "mixed_rows": (
        _h5(a=lambda p: p.values[:, 0], b=lambda p: p.values[:-1, 1], t=lambda p: p.ns),
        "which row belongs to which cannot be said", Layout(blocks=(Block("a"), Block("b"))),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_right_is_refused_with_what_to_do(tmp_path: Path, name: str) -> None:
    write, says, layout = REFUSED[name]
    path = _written(tmp_path, write, TRAIN)
    with pytest.raises(LynkeusError, match=says) as caught:
        list(open_source(path, layout))
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_day_that_the_layout_names_is_read(tmp_path: Path) -> None:
    write = REFUSED["ambiguous"][0]
    path = _written(tmp_path, write, TRAIN)
    source = open_source(path, Layout(times=Times("time", day_first=True)))
    first = next(iter(source)).time_ns
    assert first is not None
    assert str(np.datetime64(int(first[0]) // 10**9, "s")) == "2023-06-05T22:13:20"


def test_a_word_that_the_layout_names_is_a_missing_value(tmp_path: Path) -> None:
    path = _written(tmp_path, REFUSED["unknown_word"][0], TRAIN)
    source = open_source(path, Layout(missing=("kaputt",)))
    missing = sum(int(np.isnan(batch.values).sum()) for batch in source)
    assert missing == len(range(4, 800, 50))
    assert any("'kaputt' 16 times" in line for line in source.messages)


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("plain")
    _written(folder, _csv(_plain), TRAIN)
    return folder / "train.csv"


def test_an_extra_column_is_left_out_and_said(plain: Path, tmp_path: Path) -> None:
    test = _written(tmp_path, _with("NEW:PV", lambda p: [1.0] * len(p.ns)), TEST)
    p_values, where, _, said = judged(plain, test, None)
    assert (p_values[FAULTY] < 0.01).all()
    assert set(where[180:200]) == {"BPM3"}
    assert any("1 channel that the model does not know left out: NEW:PV" in line for line in said)


@pytest.mark.parametrize("gone", ["empty", "not there"])
def test_a_channel_without_values_is_named(plain: Path, tmp_path: Path, gone: str) -> None:
    rows = rows_of(TEST, time=TEST.dates())
    rows = [[*row[:5], "" if k else row[5], *row[6:]] if gone == "empty" else [*row[:5], *row[6:]]
            for k, row in enumerate(rows)]  # fmt: skip
    (tmp_path / "test.csv").write_text(text_of(rows))
    p_values, where, _, said = judged(plain, tmp_path / "test.csv", None)
    assert (p_values[FAULTY] < 0.01).all()
    assert set(where[180:200]) == {"BPM3"}
    assert any(line.startswith("BPM5 has no values in this file") for line in said)


@pytest.mark.parametrize("cut", [3, 60, 25])
def test_the_whole_lines_of_a_file_that_is_being_written_are_scored(plain: Path, tmp_path: Path, cut: int) -> None:
    text = _plain(TEST)
    (tmp_path / "test.csv").write_text(text[:-cut])
    p_values, _, _, said = judged(plain, tmp_path / "test.csv", None)
    assert len(p_values) == text[:-cut].count("\n") - 1
    assert any("the last line is not complete" in line for line in said)


def test_a_packed_file_is_read_as_it_is(plain: Path, tmp_path: Path) -> None:
    packed = gzip.compress(_plain(TEST).encode())
    (tmp_path / "test.csv.gz").write_bytes(packed)
    assert len(judged(plain, tmp_path / "test.csv.gz", None)[0]) == 300
    (tmp_path / "cut.csv.gz").write_bytes(packed[: len(packed) // 2])
    p_values, _, _, said = judged(plain, tmp_path / "cut.csv.gz", None)
    assert 0 < len(p_values) < 300
    assert any("the last line is not complete" in line for line in said)


@pytest.mark.parametrize("scorer", ["mahalanobis", "orbit"])
@pytest.mark.parametrize("rows", [40, 80])
def test_a_fault_that_lasted_is_left_out_of_the_reference(tmp_path: Path, scorer: str, rows: int) -> None:
    values = TRAIN.values.copy()
    values[200 : 200 + rows, 2] += 6
    train = _written(tmp_path, _csv(_plain), Part("train", values, TRAIN.ns))
    fitted = fit(open_source(train), FitSettings(scorer))
    assert any("looks like a second population" in line and "BPM3" in line for line in fitted.messages)
    first, *_ = sorted(fitted.lineage["incidents"], key=lambda incident: -(incident["end_ns"] - incident["start_ns"]))
    assert first["where"] == "BPM3"
    assert abs(first["start_ns"] - TRAIN.ns[200]) < 3 * 10**8
    scored = list(fitted.score(open_source(_written(tmp_path, _csv(_plain), TEST))))
    p_values = np.concatenate([one.p_values[:, 0] for one in scored])
    assert (p_values[FAULTY] < 0.01).mean() >= 0.95
    assert np.delete(p_values < 0.01, np.r_[FAULTY]).mean() < 0.06


FIELD = Path(os.environ.get("LYNKEUS_DATA", ".")) / "field"
LAYOUTS = ("karabo", "own_index", "ns_as_s", "relative", "compound", "channels_first", "bits")
NOT_READ = {"ms_called_ns": "did you mean ms", "ns_as_s": "did you mean ns", "local_clock": "an hour comes twice"}
CONTROL = {"dirty10": "plain", "dirty5": "plain"}  # reference: of which the test is taken
OF_PLAIN = ("dead_channel", "extra_column", "being_written")


@pytest.mark.skipif(not FIELD.is_dir(), reason="LYNKEUS_DATA does not hold field")
def test_the_files_of_the_field_come_out_right() -> None:
    names = sorted({path.name.rsplit("_train", 1)[0] for path in FIELD.glob("*_train.*")} - {"plain_train.csv.gz"})
    assert len(names) > 25
    for name in [*names, *OF_PLAIN]:
        (train,) = [p for p in FIELD.glob(f"{'plain' if name in OF_PLAIN else name}_train.*") if p.suffix != ".gz"]
        layout = FIELD / f"{name}.toml" if name in LAYOUTS and name != "karabo" else None
        if name in NOT_READ:
            with pytest.raises(LynkeusError, match=NOT_READ[name]):
                list(open_source(train, layout))
            continue
        (test,) = FIELD.glob(f"{CONTROL.get(name, name)}_test.*")
        p_values, where, begin, _ = judged(train, test, read_layout(layout) if layout else None)
        windows = name == "windows"
        assert len(p_values) == (100 if windows else 789 if name == "being_written" else 1000), name
        faulty = slice(60, 66) if windows else slice(600, 660)
        assert (p_values[faulty] < 0.01).mean() > 0.98 - 0.02 * (name == "own_index"), name
        assert np.delete(p_values < 0.01, np.r_[faulty]).mean() < 0.03, name
        assert len({*where[faulty]} - {""}) == 1, name
        assert begin is None or begin == T0_NS + 3600 * 10**9, name


def test_a_clean_reference_has_no_second_population(plain: Path) -> None:
    fitted = fit(open_source(plain), FitSettings("mahalanobis"))
    assert fitted.messages == []
    assert fitted.lineage["incidents"] == []


@pytest.mark.parametrize(("column", "good", "bad"), [("BPM4.SEVR", "NO_ALARM", "INVALID"), ("severity", 0, 3)])
def test_where_a_severity_says_so_a_value_is_missing(tmp_path: Path, column: str, good: object, bad: object) -> None:
    rows = [[*row, column if not k else bad if k % 50 == 7 else good]
            for k, row in enumerate(rows_of(TRAIN, time=TRAIN.dates()))]  # fmt: skip
    for row in rows[7::50]:
        row[4] = 999.0
    (tmp_path / "a.csv").write_text(text_of(rows))
    source = open_source(tmp_path / "a.csv")
    values = np.concatenate([batch.values for batch in source])
    assert source.schema.names == tuple(NAMES)
    assert np.isnan(values[6::50, 3]).all()
    assert np.isnan(values).sum() == 16 * (1 if column == "BPM4.SEVR" else 6)
    assert any(f"{column} says in 16 rows" in line for line in source.messages)


def test_what_rises_with_every_row_of_a_matrix_is_set_aside(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.column_stack([TRAIN.ns / 1e9, TRAIN.values]))
    fitted = fit(open_source(tmp_path / "a.npy"), FitSettings("mahalanobis"))
    assert "rises with every row" in fitted.lineage["set_aside"]["column_0"]


def test_what_counts_down_is_set_aside_and_what_sinks_is_not(tmp_path: Path) -> None:
    left = 100_000 - 2 * np.arange(len(TRAIN.values))
    level = 50.0 - np.cumsum(0.01 + 0.001 * np.arange(len(left)) % 0.003)
    np.save(tmp_path / "a.npy", np.column_stack([left, level, TRAIN.values]))
    fitted = fit(open_source(tmp_path / "a.npy"), FitSettings("mahalanobis"))
    assert fitted.lineage["set_aside"] == {"column_0": FALLS}


def test_a_channel_that_the_layout_names_and_the_file_lacks_is_named(tmp_path: Path) -> None:
    layout = Layout(blocks=tuple(Block(f"FL0/{name}/value", name) for name in NAMES), times=Times("FL0/BPM1/time", "s"))
    train, test = _written(tmp_path, _own_index, TRAIN), _written(tmp_path, _own_index, TEST)
    with h5py.File(test, "a") as file:
        del file["FL0/BPM5"]
    p_values, where, _, said = judged(train, test, layout)
    assert len(p_values) == 300
    assert {where[row] for row in range(180, 200)} == {"BPM3"}
    assert any(line.startswith("BPM5 has no values") for line in said)
