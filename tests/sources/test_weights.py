"""Weights of rows: from every kind of file, where they are asked for, and through every wrapper."""

from pathlib import Path

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lynkeus.core import Batch, Schema, SettingsError, Source, SourceError, concatenate
from lynkeus.fitting.views.live import Live
from lynkeus.fitting.views.live_channels import LiveChannels
from lynkeus.sources import Blocks, Exclude, Inject, InMemory, Labelled, Select, Window, open_source
from lynkeus.sources.formats.layout import Layout
from lynkeus.sources.wrappers.finite import Finite
from lynkeus.sources.wrappers.pictures import Pictures
from lynkeus.sources.wrappers.replay import Replay
from lynkeus.sources.wrappers.time_order import Ordered
from lynkeus.sources.wrappers.window import Accumulate

ROWS = 60
VALUES = np.random.default_rng(0).normal(size=(ROWS, 4)) * 100
WEIGHT = np.random.default_rng(1).uniform(0.0, 3.0, ROWS)
ENDINGS = ("npz", "csv", "parquet", "h5")


def write(path: Path, name: str, weight: np.ndarray = WEIGHT) -> Path:
    if path.suffix == ".npz":
        np.savez(path, X=VALUES, **{name: weight})
    elif path.suffix == ".h5":
        with h5py.File(path, "w") as file:
            file["X"], file[name] = VALUES, weight
    else:
        columns = {f"c{k}": VALUES[:, k] for k in range(4)} | {name: weight}
        if path.suffix == ".parquet":
            pq.write_table(pa.table(columns), path)
        else:
            table = np.column_stack(list(columns.values()))
            lines = [",".join(columns), *(",".join(map(repr, map(float, row))) for row in table)]
            path.write_text("\n".join(lines) + "\n")
    return path


def weight_of(source: Source) -> np.ndarray:
    found = concatenate(list(source)).weight
    assert found is not None
    return found


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_named_column_holds_weights_and_is_no_channel(tmp_path: Path, ending: str) -> None:
    path = write(tmp_path / f"events.{ending}", "w_mc")
    source = open_source(path, Layout(weight="w_mc"))
    assert source.schema.shape == (4,)
    np.testing.assert_allclose(weight_of(source), WEIGHT)


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_column_called_weight_that_nobody_asked_for_is_mentioned(tmp_path: Path, ending: str) -> None:
    path = write(tmp_path / f"events.{ending}", "weight")
    source = open_source(path)
    assert next(iter(source)).weight is None
    (said,) = source.messages
    assert "--weights weight" in said
    assert not open_source(path, Layout(weight="weight")).messages


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("wrong", [-1.0, np.nan])
def test_a_weight_that_is_none_is_refused_naming_file_and_row(tmp_path: Path, ending: str, wrong: float) -> None:
    bad = WEIGHT.copy()
    bad[17] = wrong
    source = open_source(write(tmp_path / f"events.{ending}", "w", bad), Layout(weight="w"))
    with pytest.raises(SourceError, match=rf"events.{ending}.* w, from row 0 on: the weight of sample 17 is") as error:
        list(source)
    assert "\n" not in str(error.value)


def test_files_without_the_weights_of_the_layout_can_still_be_scored(tmp_path: Path) -> None:
    np.savez(tmp_path / "real.npz", X=VALUES)
    assert next(iter(open_source(tmp_path / "real.npz", Layout(weight="w")))).weight is None
    with pytest.raises(SettingsError, match="pulses are read without weights"):
        Layout.from_dict(
            {"weight": "w", "pulses": {"dataset": "*/a", "pid": "p", "signals": ["x"], "sample_rate_hz": 1}}
        )


def rows() -> InMemory:
    schema = Schema("table", ("a", "b", "c", "d"), shape=(4,), sample_rate_hz=1.0)
    time_ns = np.arange(ROWS, dtype=np.int64) * 10**9
    truth = (np.arange(ROWS) % 9 == 4).astype(np.int64)
    return InMemory(Batch(schema, VALUES, time_ns, truth=truth, weight=WEIGHT), batch_size=25)


KEPT = np.arange(ROWS) % 3 > 0
WRAPPERS = {
    "finite": (Finite, WEIGHT),
    "ordered": (Ordered, WEIGHT),
    "select": (lambda s: Select(s, mask=KEPT), WEIGHT[KEPT]),
    "exclude": (lambda s: Exclude(s, [(0, 3 * 10**9)]), WEIGHT[3:]),
    "labelled": (lambda s: Labelled(s, "truth"), WEIGHT),
    "good": (lambda s: Labelled(s, "truth").good, WEIGHT[np.arange(ROWS) % 9 != 4]),
    "judged": (lambda s: Labelled(s, "", [(0, 2 * 10**9, 1)]).good, WEIGHT[2:]),
    "blocks": (lambda s: Blocks(Labelled(s, ""), ROWS, 5), WEIGHT[~Blocks.held_out(ROWS, 5)]),
    "inject": (lambda s: Inject(s, (), np.ones(4), np.zeros(4)), WEIGHT),
    "pictures": (lambda s: Pictures(s, 2), WEIGHT),
    "live": (lambda s: Live(s, LiveChannels.fit(s)), WEIGHT),
    "replay": (lambda s: Replay(s, 0.0, 7), WEIGHT),
    "window": (lambda s: Window(s, 10), WEIGHT.reshape(6, 10).mean(axis=1)),
    "accumulate": (lambda s: Accumulate(s, 5), WEIGHT.reshape(12, 5).mean(axis=1)),
}


@pytest.mark.parametrize("name", WRAPPERS)
def test_every_wrapper_carries_weights(name: str) -> None:
    wrap, expected = WRAPPERS[name]
    np.testing.assert_allclose(weight_of(wrap(rows())), expected)


def test_a_mean_of_samples_counts_each_by_its_weight() -> None:
    found = concatenate(list(Accumulate(rows(), 5))).values
    expected = [np.average(VALUES[k : k + 5], axis=0, weights=WEIGHT[k : k + 5]) for k in range(0, ROWS, 5)]
    np.testing.assert_allclose(found, expected)


def test_weights_that_begin_in_the_middle_are_refused() -> None:
    class Half:
        schema = rows().schema

        def __iter__(self):
            first, *others = rows()
            yield Batch(first.schema, first.values, first.time_ns)
            yield from others

    with pytest.raises(SourceError, match="some of the samples have weights, others none"):
        list(Labelled(Half(), ""))
