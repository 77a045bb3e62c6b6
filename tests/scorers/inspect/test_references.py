"""References: the same position, before; and what is done where that is not known."""

from __future__ import annotations

import numpy as np
import pytest

from lynkeus.core import Batch, Schema, SchemaError
from lynkeus.scorers.inspect.references import Acquisition, References

SCHEMA = Schema("image", ("grey",), shape=(1, None, None))
DAYS = ["2026-03-01", "2026-03-02T12:00:00Z", "", "2026-03-04"]


def acquisitions(positions: list[str], times: list[object]) -> list[Acquisition]:
    values = np.zeros((len(times), 1, 4, 4), np.uint8)
    batch = Batch(SCHEMA, values, meta={"place": np.array(positions), "when": np.array(times)})
    return [Acquisition.of(batch, index, "place", "when") for index in range(len(batch))]


def allowed(references: References, acquisition: Acquisition) -> list[int]:
    return np.flatnonzero(references.allowed(acquisition)).tolist()


@pytest.fixture
def references() -> References:
    return References(acquisitions(["a", "a", "a", "b"], DAYS))


def test_earlier_images_of_the_same_position_are_chosen(references: References) -> None:
    day = references.acquisitions[3].time_s - references.acquisitions[0].time_s
    assert day == 3 * 86400
    assert allowed(references, Acquisition("a", references.acquisitions[3].time_s)) == [0, 1]
    assert allowed(references, Acquisition("a", references.acquisitions[1].time_s)) == [0]
    assert allowed(references, Acquisition("b", references.acquisitions[3].time_s + 1)) == [3]


def test_without_an_earlier_one_all_of_the_position_are_chosen(references: References) -> None:
    assert allowed(references, Acquisition("a", references.acquisitions[0].time_s)) == [0, 1, 2]
    assert allowed(references, Acquisition("a", np.nan)) == [0, 1, 2]


def test_without_a_known_position_all_or_all_earlier_ones_are_chosen(references: References) -> None:
    assert allowed(references, Acquisition("c", np.nan)) == [0, 1, 2, 3]
    assert allowed(references, Acquisition("", references.acquisitions[3].time_s)) == [0, 1]


def test_numbers_are_times_too_and_columns_may_be_absent() -> None:
    assert [one.time_s for one in acquisitions(["a", "a"], [3, 4.5])] == [3, 4.5]
    assert [one.time_s for one in acquisitions(["a", "a"], ["3", "4.5"])] == [3, 4.5]
    batch = Batch(SCHEMA, np.zeros((1, 1, 4, 4), np.uint8))
    assert Acquisition.of(batch, 0, "place", "when")[0] == Acquisition.of(batch, 0, "", "")[0] == ""
    assert np.isnan(Acquisition.of(batch, 0, "place", "when").time_s)
    date = Batch(SCHEMA, np.zeros((1, 1, 4, 4), np.uint8), meta={"when": np.array(["2026-03-01"], "datetime64[ns]")})
    assert Acquisition.of(date, 0, "", "when").time_s == np.datetime64("2026-03-01", "s").astype(int)


def test_what_is_no_time_is_said() -> None:
    with pytest.raises(SchemaError, match="metadata column when: 'yesterday' is no time; write 2026"):
        acquisitions(["a"], ["yesterday"])


def test_they_can_be_kept(references: References) -> None:
    back = References.from_arrays(references.to_arrays())
    assert allowed(back, Acquisition("a", np.nan)) == [0, 1, 2]
    for one, two in zip(back.acquisitions, references.acquisitions, strict=True):
        assert one.position == two.position
        np.testing.assert_equal(one.time_s, two.time_s)
