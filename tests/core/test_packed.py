"""Packed clouds: what is chosen, padded and joined is what was there; what is inconsistent is refused."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lynkeus.core import Batch, Group, Packed, Schema, SchemaError, concatenate

SCHEMA = Schema("cloud", ("charged/pt", "global/jet_pt"), (), (None, None), classes=("b", "light"))


def clouds(lengths: list[int], seed: int = 0) -> Packed:
    values = np.random.default_rng(seed).normal(size=(sum(lengths), 1)).astype(np.float32)
    own = Group.of_lengths(np.arange(len(lengths), dtype=np.float32)[:, None], np.ones(len(lengths), int))
    return Packed({"charged": Group.of_lengths(values, np.array(lengths, int)), "global": own})


@given(st.lists(st.integers(0, 5), min_size=1, max_size=8), st.data())
def test_chosen_samples_have_their_own_particles(lengths: list[int], data: st.DataObject) -> None:
    packed = clouds(lengths)
    rows = data.draw(st.lists(st.integers(0, len(lengths) - 1), max_size=10))
    chosen = packed[np.array(rows, int)]
    assert len(chosen) == len(rows)
    for k, row in enumerate(rows):
        for name in packed.groups:
            mine, theirs = chosen.groups[name], packed.groups[name]
            expected = theirs.values[theirs.offsets[row] : theirs.offsets[row + 1]]
            np.testing.assert_array_equal(mine.values[mine.offsets[k] : mine.offsets[k + 1]], expected)


@given(st.lists(st.integers(0, 5), min_size=1, max_size=8))
def test_padding_and_back(lengths: list[int]) -> None:
    packed = clouds(lengths)
    values, mask = packed.padded("charged")
    assert values.shape == (len(lengths), max(lengths), 1)
    assert mask.sum(axis=1).tolist() == lengths
    back = Packed.of_padded("charged", values, mask)
    np.testing.assert_array_equal(back.groups["charged"].values, packed.groups["charged"].values)
    cut, _ = packed.padded("charged", 2)
    np.testing.assert_array_equal(cut[:, : values.shape[1]], values[:, :2])


def test_batches_of_clouds_are_cut_and_joined() -> None:
    batch = Batch(SCHEMA, clouds([2, 0, 3]), truth=np.array([0, 1, -1]), meta={"jet_pt": np.arange(3.0)})
    joined = concatenate([batch[:1], batch[1:]])
    np.testing.assert_array_equal(joined.packed.groups["charged"].values, batch.packed.groups["charged"].values)
    assert joined.truth.tolist() == [0, 1, -1]
    assert len(batch[np.array([False, True, False])].packed.groups["charged"].values) == 0
    assert Schema.from_dict(SCHEMA.to_dict()) == SCHEMA


def test_what_is_inconsistent_is_refused() -> None:
    values = np.zeros((3, 1), np.float32)
    with pytest.raises(SchemaError, match="do not fit"):
        Packed({"charged": Group(values, np.array([0, 2]))})
    with pytest.raises(SchemaError, match="must rise"):
        Packed({"charged": Group(values, np.array([0, 4, 3]))})
    with pytest.raises(SchemaError, match="of 1 samples"):
        Packed({"a": Group(values, np.array([0, 3])), "b": Group(values, np.array([0, 1, 3]))})
    with pytest.raises(SchemaError, match="needs a group"):
        Packed({})
    with pytest.raises(SchemaError, match="no jets"):
        _ = Batch(Schema("table", ("a",), (), (1,)), values).packed
    with pytest.raises(SchemaError, match="cannot be joined"):
        Packed.join([clouds([1]), Packed({"charged": Group(values, np.array([0, 3]))})])
