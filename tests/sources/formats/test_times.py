"""Times of tables: by name and value, as text, and those that cannot be."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from lynkeus.core import SourceError
from lynkeus.sources import open_source
from lynkeus.sources.formats.layout import Times
from lynkeus.sources.formats.tables import times_in_ns
from lynkeus.sources.formats.times.plausible import unit_by_value
from lynkeus.sources.formats.times.recognise import recognise
from lynkeus.sources.formats.times.text import is_clock, text_times, writing_of

NOON = np.datetime64("2023-11-14T12:00:00", "ns").astype(int)
EPOCH = 1.7e9 + np.arange(50) * 0.1


@pytest.mark.parametrize(
    ("text", "utc"),
    [
        ("2023-11-14T22:13:20.123456789Z", "2023-11-14T22:13:20.123456789"),
        ("2023/11/14 22:13", "2023-11-14T22:13:00"),
        ("14.11.2023 22:13:20,5", "2023-11-14T22:13:20.5"),
        ("14/11/2023 22:13:20 +01:00", "2023-11-14T21:13:20"),
        ("11/14/2023, 10:13:20 PM", "2023-11-14T22:13:20"),
        ("14-Nov-2023 22:13:20 CET", "2023-11-14T21:13:20"),
        ("1. März 2024 00:00:00", "2024-03-01T00:00:00"),
        ("Feb 29, 2024 12:00:00 AM", "2024-02-29T00:00:00"),
    ],
)
def test_dates_as_people_write_them(text: str, utc: str) -> None:
    how = writing_of([text])
    assert how is not None
    (found,) = text_times(pa.array([text]), how, "a.csv: column t", 0)
    assert np.datetime64(int(found), "ns") == np.datetime64(utc, "ns")


@pytest.mark.parametrize("text", ["NO_ALARM", "3.5", "22:13:20", "14.13.14", "2023", ""])
def test_what_is_no_date(text: str) -> None:
    assert writing_of([text]) is None
    assert is_clock(["22:13:20.5"])


@pytest.mark.parametrize(
    ("later", "says"),
    [
        ("13/14/2023 00:00:00", "is no date if"),
        ("soon", "is no date like the others"),
        ("11/12/2023 00:00:00 XYZ", "zone"),
    ],
)
def test_an_entry_that_is_no_date_is_named_by_its_row(later: str, says: str) -> None:
    how = writing_of(["11/14/2023 00:00:00"])
    assert how is not None
    with pytest.raises(SourceError, match=rf"row 8.*{says}|{says}"):
        text_times(pa.array(["11/14/2023 00:00:00", later]), how, "a.csv: column t", 7)


@pytest.mark.parametrize(("unit", "factor"), [("s", 1), ("ms", 1e3), ("us", 1e6), ("ns", 1e9)])
def test_the_unit_is_found_from_the_values(unit: str, factor: float) -> None:
    assert unit_by_value(EPOCH * factor) == unit
    assert unit_by_value(np.arange(50.0)) == ""
    found = recognise({"timestamp": EPOCH * factor, "a": np.ones(50)})
    assert found.times == Times("timestamp", unit)
    wrong = {"s": "ms", "ms": "ns", "us": "s", "ns": "s"}[unit]
    with pytest.raises(SourceError, match=f"did you mean {unit}"):
        times_in_ns(EPOCH * factor, wrong, "a.csv: column timestamp")


@pytest.mark.parametrize(
    ("name", "column", "why"),
    [
        ("Unnamed: 0", np.arange(50), "counts rows"),
        ("trainId", 1_700_000_000 + np.arange(50), "counts rows"),
        ("BPM1.SEVR", np.zeros(50, int), "states"),
        ("time", np.arange(50) * 0.1, "times, but not since 1970"),
        ("BPM1", np.random.default_rng(0).normal(size=50), None),
        ("BPM1", EPOCH[::-1], None),
        ("count", np.array([3, 1, 2]), None),
        ("temperature", np.arange(50) * 0.1, None),
    ],
)
def test_what_is_a_channel_and_what_is_not(name: str, column: np.ndarray, why: str | None) -> None:
    found = recognise({name: column, "other": np.ones(len(column))})
    assert found.times is None
    assert (name in found.aside) == (why is not None)
    assert why is None or found.aside[name].startswith(why)
    assert name not in recognise({name: column}, known={name}).aside


def test_impossible_years_are_refused_and_the_first_is_not() -> None:
    with pytest.raises(SourceError, match=r"reach the year 1,9.., outside 1970 to 2100"):
        times_in_ns(np.array([-(10**18)]), "ns", "a.h5: t")
    with pytest.raises(SourceError, match="they are times in no unit"):
        times_in_ns(np.array([1e13]), "s", "a.h5: t")
    assert times_in_ns(np.array([0, 10**8]), "ns", "a.h5: t").tolist() == [0, 10**8]


@pytest.mark.parametrize(
    ("header", "written", "words", "within_ns"),
    [
        ("MJD", lambda s: f"{s / 86400 + 40587:.9f}", "MJD, modified Julian days", 100_000),
        ("jd_utc", lambda s: f"{s / 86400 + 2440587.5:.9f}", "jd_utc, Julian days", 100_000),
        ("datenum", lambda s: f"{s / 86400 + 719529:.9f}", "datenum, days since the year 0", 100_000),
        ("Date", lambda s: f"{s / 86400 + 25569:.9f}", "Date, days since 1900", 100_000),
        ("Time", lambda s: f"{s + 2082844800:.3f}", "Time, seconds since 1904", 1_000_000),
        ("secPastEpoch,nsec", lambda s: f"{int(s) - 631152000},{int(s % 1 * 1e9)}", "since 1990, as EPICS counts", 1),
    ],
)
def test_clocks_that_do_not_count_from_1970(
    header: str, written: Callable[[float], str], words: str, within_ns: int, tmp_path: Path
) -> None:
    begin = 1_772_712_000  # 5 March 2026, noon
    rows = [f"{written(begin + 0.5 * row)},{row % 7},{row % 5}" for row in range(40)]
    path = tmp_path / "a.csv"
    path.write_text("\n".join([f"{header},a,b", *rows]) + "\n")
    source = open_source(path)
    (batch,) = source
    assert source.schema.names == ("a", "b")
    assert batch.time_ns is not None
    assert np.abs(batch.time_ns - (begin * 10**9 + np.arange(40) * 500_000_000)).max() <= within_ns
    assert any(words in line for line in source.messages)


def test_julian_days_with_the_newest_first_are_no_channel(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("MJD,a\n" + "".join(f"{61104.5 - row / 86400:.8f},{row % 7}\n" for row in range(40)))
    source = open_source(path)
    assert source.schema.names == ("a",)
    with pytest.raises(SourceError, match="newest row comes first"):
        list(source)


@pytest.mark.parametrize(("header", "first"), [("Time", 40_000.0), ("t", 61_000.0), ("date_code", 45_000.0)])
def test_elapsed_seconds_are_no_days_of_a_calendar(header: str, first: float, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("\n".join([f"{header},a", *(f"{first + 0.1 * row:.1f},{row % 7}" for row in range(40))]) + "\n")
    source = open_source(path)
    assert next(iter(source)).time_ns is None
