"""Numbers in words."""

from __future__ import annotations

import math

import pytest

from lynkeus.web import words


@pytest.mark.parametrize(
    ("rate", "text"),
    [
        (1 / 40, "once in 40 h"),
        (2.1, "2.1 times an hour"),
        (1.0, "once an hour"),
        (25.4, "25 times an hour"),
        (100.0, "more than once a minute"),
        (1 / 240, "once in 10 days"),
        (1e-5, "less than once a year"),
        (0.0, "less than once a year"),
        (math.inf, "more than once a minute"),
        (math.nan, "how often is not known"),
        (None, "how often is not known"),
    ],
)
def test_how_often(rate: float | None, text: str) -> None:
    assert words.how_often(rate) == text


def test_the_lowest_rate_that_a_reference_can_state_may_be_rarer() -> None:
    lowest = 1 / (1.0 * 1000)  # of an hour
    assert words.how_often(lowest, 1.0) == "once in 42 days or rarer"
    assert words.how_often(lowest, 1.0004) == "once in 42 days or rarer"  # hours are rounded in models of before
    assert words.how_often(2 * lowest, 1.0) == "once in 21 days"
    assert words.how_often(lowest, None) == words.how_often(lowest, 0.0) == "once in 42 days"
    assert words.how_often(1e-9, 1e6) == "less than once a year"
    assert words.how_rare(1e-5, rarest=1e-5) == f"at most 1 good image in {words.count(100_000)} scores as high"
    assert words.how_rare(2e-5, rarest=1e-5) == f"1 good image in {words.count(50_000)} scores as high"


def test_durations_and_ages() -> None:
    assert [words.duration(s) for s in (0.5, 12, 90, 5400, 200_000, None)] == [
        "0.5 s", "12 s", "1.5 min", "1.5 h", "2.3 days", "still open",
    ]  # fmt: skip
    assert words.ago(0, 180 * 10**9) == "3 min ago"
    assert words.ago(10**9, 0) == "0 s ago"


def test_times_and_counts() -> None:
    assert words.utc(1_700_000_000_000_000_000) == "2023-11-14 22:13:20 UTC"
    assert words.utc(None) == "never"
    assert words.iso(1_700_000_000_000_000_000) == "2023-11-14T22:13:20+00:00"
    assert words.count(1234567).split("\N{NARROW NO-BREAK SPACE}") == ["1", "234", "567"]
    assert [words.per_second(rate) for rate in (9.97, 1e4)] == ["9.97", "10\N{NARROW NO-BREAK SPACE}000"]
    assert [words.significant(value) for value in (3.14159, math.nan, None)] == ["3.14", "\N{EN DASH}", "\N{EN DASH}"]
