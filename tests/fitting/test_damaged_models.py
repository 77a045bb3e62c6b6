"""A model folder whose checksums fit but whose content makes no sense is refused in one line, or scores."""

import json
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.mutations import mutated

from lynkeus.core import Batch, LynkeusError, ModelError, Schema
from lynkeus.files.model_folder import write_model
from lynkeus.fitting.fit import FitSettings, fit
from lynkeus.fitting.fitted import Fitted
from lynkeus.scorers.statistics.forest import Forest, require_nodes
from lynkeus.sources import InMemory

FIRST = int(os.environ.get("LYNKEUS_FIRST_MUTATION", "0"))
MUTATIONS = int(os.environ.get("LYNKEUS_MUTATIONS", "40"))


def _rows(count: int) -> InMemory:
    values = np.random.default_rng(count).normal(size=(count, 4))
    return InMemory(Batch(Schema("table", tuple("abcd"), shape=(4,)), values))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", ["mahalanobis", "isolation_forest"])
def test_content_that_makes_no_sense_ends_in_one_line(name: str, tmp_path: Path) -> None:
    whole, damaged = tmp_path / "whole", tmp_path / "damaged"
    fit(_rows(400), FitSettings(name)).save(whole)
    files = sorted(path.relative_to(whole) for path in whole.rglob("*") if path.is_file() and path.name != "SHA256SUMS")
    few, refused = _rows(30), 0
    for seed in range(FIRST, FIRST + MUTATIONS):
        random = np.random.default_rng(seed)
        file = files[seed % len(files)]
        content = mutated((whole / file).read_bytes(), random)

        def write(folder: Path, file: Path = file, content: bytes = content) -> None:
            shutil.copytree(whole, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("SHA256SUMS"))
            (folder / file).write_bytes(content)

        shutil.rmtree(damaged, ignore_errors=True)
        write_model(damaged, write)
        try:
            for _ in Fitted.load(damaged).score(few):
                pass
        except LynkeusError as error:
            refused += 1
            said = str(error)
        else:
            continue
        assert "\n" not in said, f"seed {seed}: {said}"
    assert refused > MUTATIONS / 4


@pytest.mark.parametrize(
    "change",
    [
        {"layout": "x"},
        {"layout": 1.5},
        {"window": 1.5},
        {"window": True},
        {"window": float("inf")},
        {"stride": 10**30},
        {"names": ["a", "a", "b", "c", "d"]},
        {"live": [True, True, False, True]},  # and it is not said why
        {"live": [True, True, True]},
        {"resting": [None]},
        {"steady": [[1, 1], [1, 1], [1, 1], [1, 1]]},
    ],
    ids=lambda change: "-".join(change),
)
def test_channels_that_do_not_fit_together_are_refused(change: dict[str, Any], tmp_path: Path) -> None:
    whole, damaged = tmp_path / "whole", tmp_path / "damaged"
    fit(_rows(400), FitSettings("three_sigma")).save(whole)
    content = json.loads((whole / "model.json").read_text())
    for name, value in change.items():
        part = content["view"] if name in ("window", "stride", "layout") else content["view"]["channels"]
        part[name] = value

    def write(folder: Path) -> None:
        shutil.copytree(whole, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("SHA256SUMS"))
        (folder / "model.json").write_text(json.dumps(content))

    write_model(damaged, write)
    with pytest.raises(ModelError, match=str(damaged)):
        Fitted.load(damaged)


@pytest.mark.parametrize(("left", "right"), [([0, 1, 2], [2, 1, 2]), ([1, 1, 2], [0, 1, 2]), ([1, 1, 0], [2, 1, 0])])
def test_a_forest_whose_paths_never_end_is_refused(left: list[int], right: list[int]) -> None:
    trees = Forest(np.array([0]), np.array(left), np.array(right), np.zeros(3, int), np.zeros(3), np.ones(3, int))
    with pytest.raises(ModelError, match="trees of the forest are damaged"):
        require_nodes(trees, 1)
    whole = trees._replace(left=np.array([1, 1, 2]), right=np.array([2, 1, 2]))
    require_nodes(whole, 1)
