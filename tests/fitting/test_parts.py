"""A table of windows goes on after a kill, with the state of a scorer that follows its instrument."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lynkeus.core import Batch, SourceError
from lynkeus.fitting import parts
from lynkeus.fitting.fitted import Fitted
from lynkeus.fitting.score import ScoreSettings, score
from lynkeus.sources import open_source
from lynkeus.sources.wrappers.wrapper import Wrapper


def rows_of(part: Path) -> int:
    with pa.memory_map(str(part)) as file:
        return pa.ipc.open_file(file).read_all().num_rows


class Killed(Wrapper):
    """A source that ends with an interruption after some batches, and counts those it was asked for."""

    def __init__(self, source, batches: int) -> None:
        super().__init__(source)
        self.batches, self.given = batches, 0

    def __iter__(self) -> Iterator[Batch]:
        for batch in self.source:
            for start in range(0, len(batch), 400):
                if self.given == self.batches:
                    raise KeyboardInterrupt
                self.given += 1
                yield batch[start : start + 400]


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "ROWS_PER_PART", 50)


def scored(orbits, output: Path, batches: int = 10**9, model: Path | None = None) -> int:
    """Rows that an earlier run had done."""
    folder = model or orbits.model
    source = Killed(open_source(orbits.later, "xfel_orbits"), batches)
    return score(Fitted.load(folder), folder, source, ScoreSettings(output)).done


def test_killed_in_the_middle_it_goes_on(orbits, tmp_path: Path, agree) -> None:
    whole, output = tmp_path / "whole.parquet", tmp_path / "s.parquet"
    assert scored(orbits, whole) == 0
    with pytest.raises(KeyboardInterrupt):
        scored(orbits, output, 5)
    assert not output.exists()
    left = rows_of(output.with_name("s.parquet.parts") / "000000.arrow")
    assert left >= 50
    done = scored(orbits, output)
    assert left <= done < 200
    first, again = (pq.read_table(path) for path in (whole, output))
    assert again.column_names == first.column_names
    for name in first.column_names:
        mine, theirs = first[name].to_numpy(), again[name].to_numpy()
        (np.testing.assert_array_equal if mine.dtype == object or mine.dtype.kind == "i" else agree)(mine, theirs)
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith("s.")] == ["s.parquet"]


def test_what_another_model_has_left_is_not_used(orbits, tmp_path: Path) -> None:
    output = tmp_path / "s.parquet"
    with pytest.raises(KeyboardInterrupt):
        scored(orbits, output, 5)
    fitted = Fitted.load(orbits.model)
    fitted.lineage["fitted_at"] = "later"
    fitted.save(tmp_path / "m")
    assert scored(orbits, output, model=tmp_path / "m") == 0


def test_a_part_without_its_end_is_not_there(orbits, tmp_path: Path) -> None:
    output = tmp_path / "s.parquet"
    with pytest.raises(KeyboardInterrupt):
        scored(orbits, output, 5)
    folder = output.with_name("s.parquet.parts")
    last = sorted(folder.glob("*.arrow"))[-1]
    last.unlink()  # as when the kill came between its state and itself
    kept = sum(map(rows_of, folder.glob("*.arrow")))
    assert scored(orbits, output) == kept


def test_where_nothing_can_be_written_nothing_is_scored(orbits, tmp_path: Path) -> None:
    (tmp_path / "s.parquet.partial").mkdir()
    source = Killed(open_source(orbits.later, "xfel_orbits"), 10**9)
    with pytest.raises(SourceError, match="cannot write the scores"):
        score(Fitted.load(orbits.model), orbits.model, source, ScoreSettings(tmp_path / "s.parquet"))
    assert source.given == 0
