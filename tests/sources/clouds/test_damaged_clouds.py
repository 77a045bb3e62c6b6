"""Files of clouds with bytes that nobody foresaw: they are read, or refused in one line."""

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.feather
import pytest
from tests.mutations import mutated

from lynkeus.core import LynkeusError
from lynkeus.sources import open_source

MUTANTS = 25


@pytest.fixture(scope="module")
def folder(tmp_path_factory, jets):
    path = tmp_path_factory.mktemp("whole")
    few = {name: column[:60] for name, column in jets.items()}
    pa.parquet.write_table(pa.table(few), path / "jets.parquet", row_group_size=25)
    pa.feather.write_feather(pa.table(few), path / "jets.feather", compression="uncompressed")
    mask = np.arange(9) < np.random.default_rng(0).integers(1, 9, 30)[:, None]
    values = np.where(mask[:, :, None], 1.5, 0.0) * np.ones(3)
    np.savez_compressed(path / "jets.npz", x=values, mask=mask, label=np.arange(30) % 2)
    with h5py.File(path / "jets.h5", "w") as file:
        for name, data in {"x": values, "mask": mask, "label": np.arange(30) % 2}.items():
            file[name] = data
    return path


def refusals(path, whole: bytes, seed: int) -> list[str]:
    """What is said of those mutants that are refused; the others are read to their end."""
    random, said = np.random.default_rng(seed), []
    for _ in range(MUTANTS):
        path.write_bytes(mutated(whole, random))
        try:
            for batch in open_source(path):
                assert len(batch)
        except LynkeusError as error:
            said.append(str(error))
    return said


# NumPy leaves a damaged archive open, which another reader was asked for after ours.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("ending", ["parquet", "feather", "npz", "h5"])
def test_a_damaged_file_is_read_or_refused_in_one_line(folder, tmp_path, ending) -> None:
    whole = (folder / f"jets.{ending}").read_bytes()
    said = refusals(tmp_path / f"damaged.{ending}", whole, 7)
    assert len(said) > MUTANTS // 4
    assert not [line for line in said if "\n" in line]


def test_a_damaged_tree_is_read_or_refused_in_one_line(jets, tmp_path, to_root) -> None:
    few = {name: column[:60] for name, column in jets.items()}
    said = refusals(tmp_path / "damaged.root", to_root(tmp_path / "whole.root", few).read_bytes(), 8)
    assert len(said) > MUTANTS // 4
    assert not [line for line in said if "\n" in line]
