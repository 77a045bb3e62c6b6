"""What people said of images and runs counts in a fit: what they called bad is left out, what is called good stays."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lynkeus.core import SourceError
from lynkeus.fitting.fit import FitSettings, fit
from lynkeus.sources import InMemory, Labelled
from lynkeus.sources.images.folder import ImageSource
from lynkeus.sources.runs.folder import RunFile
from lynkeus.sources.runs.read import RunFolder


def run(name: str, seed: int, factor: float = 1.0) -> RunFile:
    energy = np.random.default_rng(seed).exponential(10.0 * factor, 300)
    return RunFile(name, lambda: iter([{"energy": energy}]))


def test_runs_called_bad_are_left_out_and_those_called_good_stay_though_they_are_far() -> None:
    folder = RunFolder([*(run(f"good{k}", k) for k in range(30)), run("far", 40, 4.0), run("bad", 41)])
    plain = fit(folder, FitSettings("binned_chi2"))
    assert plain.lineage["outlying"] == ["far"]
    assert "bad" in plain.lineage["runs"]
    taught = fit(folder, FitSettings("binned_chi2", runs={"far": 0, "bad": 1}))
    assert taught.lineage["outlying"] == []
    assert {"far"} <= set(taught.lineage["runs"])
    assert "bad" not in taught.lineage["runs"]
    assert "runs that people called bad, and were left out: bad" in taught.messages


def test_images_called_bad_are_no_good_samples(tmp_path: Path) -> None:
    for number in range(4):
        Image.fromarray(np.full((8, 8), 10 * number, np.uint8)).save(tmp_path / f"{number}.png")
    named = {tmp_path / "1.png": 1, tmp_path / "2.png": 0, Path("/elsewhere/3.png"): 1}
    labelled = Labelled(ImageSource(tmp_path), "", named=named)
    known = labelled.check("", "any", 0)
    assert (known.good, known.anomalies) == (3, 1)
    files = [str(file) for batch in labelled.good for file in batch.meta["file"]]
    assert files == ["0.png", "2.png", "3.png"]


def test_labels_of_images_fit_no_other_data(gaussian) -> None:
    rows: InMemory = gaussian(100, 1)
    with pytest.raises(SourceError, match="no images of a folder"):
        list(Labelled(rows, "", named={Path("a.png"): 1}))
