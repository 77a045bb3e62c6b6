import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lynkeus.core import KINDS, Batch, Schema, SchemaError, concatenate

names = st.lists(st.text("aB2./é ", min_size=1, max_size=8), min_size=1, max_size=6, unique=True).map(tuple)


@st.composite
def schemas(draw: st.DrawFn) -> Schema:
    channels = draw(names)
    kind = draw(st.sampled_from(["table", "waveform"]))
    return Schema(
        kind,
        names=channels,
        units=draw(st.sampled_from([(), ("mm",), ("mm",) * len(channels)])),
        shape=(len(channels), *([draw(st.none() | st.integers(1, 5))] if kind == "waveform" else [])),
        sample_rate_hz=draw(st.none() | st.floats(0.1, 1e9)),
        instrument=draw(st.text("aé", max_size=3)),
    )


@st.composite
def batches(draw: st.DrawFn) -> Batch:
    n, seed = draw(st.integers(0, 12)), draw(st.integers(0, 99))
    noise = np.random.default_rng(seed)
    given_truth = draw(st.booleans())
    return Batch(
        Schema("table", names=("a", "b", "c"), shape=(3,)),
        noise.normal(size=(n, 3)),
        time_ns=np.arange(n, dtype=np.int64) * 10**9,
        truth=noise.integers(0, 2, n) if given_truth else None,
        meta={"position": np.arange(n), "file": np.full(n, "orbits.h5")},
    )


def assert_same(one: Batch, two: Batch) -> None:
    assert one.schema == two.schema
    np.testing.assert_array_equal(one.values, two.values)
    assert (one.truth is None) == (two.truth is None)
    for name in ("time_ns", "truth"):
        if getattr(one, name) is not None:
            np.testing.assert_array_equal(getattr(one, name), getattr(two, name))
    assert one.meta.keys() == two.meta.keys()
    for name in one.meta:
        np.testing.assert_array_equal(one.meta[name], two.meta[name])


@given(batches(), st.integers(0, 12))
def test_cutting_and_joining_gives_the_batch_back(batch: Batch, cut: int) -> None:
    assert_same(concatenate([batch[:cut], batch[cut:]]), batch)


@given(batches(), st.integers(-12, 12), st.integers(-12, 12))
def test_slices_cut_every_column_alike(batch: Batch, start: int, stop: int) -> None:
    cut = batch[start:stop]
    rows = range(len(batch))[start:stop]
    assert len(cut) == len(rows)
    assert cut.meta["position"].tolist() == list(rows)
    assert_same(cut, batch[np.array(rows, dtype=int)])
    chosen = np.isin(np.arange(len(batch)), rows)
    assert_same(cut, batch[chosen])


def test_joining_keeps_a_column_only_where_every_batch_has_it() -> None:
    schema = Schema("table", shape=(1,))
    with_truth = Batch(schema, np.zeros((2, 1)), truth=np.zeros(2, int), meta={"run": np.ones(2)})
    without = Batch(schema, np.zeros((3, 1)))
    joined = concatenate([with_truth, without])
    assert len(joined) == 5
    assert joined.truth is None
    assert not joined.meta


def test_nothing_to_join_is_said() -> None:
    with pytest.raises(SchemaError, match="no batches to join: the source is empty"):
        concatenate([])


def test_batches_of_two_schemas_are_not_joined() -> None:
    one = Batch(Schema("table", names=("x",), shape=(1,)), np.zeros((1, 1)))
    two = Batch(Schema("table", names=("y",), shape=(1,)), np.zeros((1, 1)))
    with pytest.raises(SchemaError, match=r"two schemas cannot be joined; names: 1 missing \['x'\]"):
        concatenate([one, two])


@pytest.mark.parametrize(
    ("columns", "says"),
    [
        ({"time_ns": np.zeros(2, np.int64)}, "time_ns has 2 entries for 3 samples"),
        ({"truth": np.zeros(4, int)}, "truth has 4 entries for 3 samples"),
        ({"meta": {"run": np.zeros(1)}}, "run has 1 entries for 3 samples"),
    ],
)
def test_columns_of_another_length_are_refused(columns: dict, says: str) -> None:
    with pytest.raises(SchemaError, match=says):
        Batch(Schema("table", shape=(2,)), np.zeros((3, 2)), **columns)


def test_values_of_another_shape_are_refused() -> None:
    with pytest.raises(SchemaError, match="the schema says"):
        Batch(Schema("waveform", shape=(2, None)), np.zeros((3, 3, 7)))
    assert len(Batch(Schema("waveform", shape=(2, None)), np.zeros((3, 2, 7)))) == 3


def test_with_values_keeps_times_and_origin() -> None:
    batch = Batch(Schema("table", shape=(1,)), np.zeros((2, 1)), time_ns=np.array([1, 2]), meta={"run": np.ones(2)})
    other = batch.with_values(np.ones((2, 3)), Schema("table", shape=(3,)))
    assert other.time_ns is batch.time_ns
    assert other.meta is batch.meta
    assert other.schema.shape == (3,)


@given(schemas())
def test_a_schema_survives_json(schema: Schema) -> None:
    assert Schema.from_dict(json.loads(json.dumps(schema.to_dict()))) == schema


def test_edges_survive_json() -> None:
    schema = Schema("histogram", ("area",), shape=(12,), edges=(((0.0, 1.0, 2.0), (0.0, 0.1)),))
    assert Schema.from_dict(json.loads(json.dumps(schema.to_dict()))) == schema


@given(schemas(), schemas())
def test_a_schema_differs_from_others_only_and_both_ways(one: Schema, two: Schema) -> None:
    assert not one.difference(one)
    assert bool(one.difference(two)) == bool(two.difference(one))
    if one.names != two.names:
        assert one.difference(two)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"names": ("c", "b", "a")}, "names: the same 3 channels in another order, first at 'a'"),
        ({"names": ("a", "b", "C")}, "names: 1 missing ['c'], 1 not known ['C']"),
        ({"names": ("a", "b"), "shape": (2,)}, "names: 1 missing ['c'], 0 not known []"),
        ({"names": ("a", "b", "c", "d"), "shape": (4,)}, "names: 0 missing [], 1 not known ['d']"),
        ({"units": ("um",)}, "units: expected ('mm',), got ('um',)"),
        ({"kind": "waveform", "shape": (3, 10)}, "kind: expected 'table', got 'waveform'"),
        ({"instrument": "FLASH"}, "instrument: expected 'XFEL', got 'FLASH'"),
        ({"sample_rate_hz": 20.0}, "sample_rate_hz: expected 10, got 20"),
        ({"sample_rate_hz": 10.05}, ""),
        ({"sample_rate_hz": None}, ""),
        ({"shape": (None,)}, ""),
    ],
)
def test_what_differs_is_said_in_words(change: dict, says: str) -> None:
    fields = {"kind": "table", "names": ("a", "b", "c"), "units": ("mm",), "shape": (3,)}
    fitted = Schema(**fields, sample_rate_hz=10.0, instrument="XFEL")
    other = Schema(**(fields | {"sample_rate_hz": 10.0, "instrument": "XFEL"} | change))
    assert fitted.difference(other) == says
    if says:
        with pytest.raises(SchemaError, match="orbit was fitted on another schema"):
            fitted.require(other, "orbit")


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"kind": "movie"}, "kind 'movie' is not one of image, waveform"),
        ({"kind": "table", "shape": (2, 2)}, "a table sample has the axes"),
        ({"kind": "table", "shape": (2,), "names": ("a", "a")}, "twice or more: a"),
        ({"kind": "table", "shape": (3,), "names": ("a", "b")}, "2 names for 3 channels"),
        ({"kind": "table", "shape": (3,), "names": ("a", "b", "c"), "units": ("m", "m")}, "2 units for 3 names"),
    ],
)
def test_an_inconsistent_schema_is_refused(fields: dict, says: str) -> None:
    with pytest.raises(SchemaError, match=says):
        Schema(**fields)


def test_every_kind_can_be_described() -> None:
    for kind, axes in KINDS.items():
        assert Schema(kind, shape=(None,) * (len(axes) if axes is not None else 2)).kind == kind
