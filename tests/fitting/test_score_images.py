"""Scores of images as a table: a row per image whatever happens in between, and bad input said in one line."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from lynkeus.fitting.fitted import Fitted
from lynkeus.fitting.score import ScoreSettings, identity, score
from lynkeus.sources.images.folder import ImageSource

pytestmark = pytest.mark.slow(0.2)  # each; a fit takes six seconds
SPOTS = [f"spot{number}_{name}" for number in (1, 2, 3) for name in ("x", "y", "sigma", "area", "good")]
KILLED = """
import os, signal, sys
from pathlib import Path
import torch
from lynkeus.fitting.fitted import Fitted
from lynkeus.fitting.score import ScoreSettings, score
from lynkeus.sources.images.folder import ImageSource

if __name__ == "__main__":
    torch.set_num_threads(1)
    model, images, output, maps, processes = sys.argv[1:]

    def report(what, share):
        if int(what.split()[0]) >= 8:
            os.kill(os.getpid(), signal.SIGKILL)

    settings = ScoreSettings(Path(output), Path(maps), int(processes))
    score(Fitted.load(Path(model)), Path(model), ImageSource(images), settings, report)
"""


def score_images(model: Path, source: ImageSource, settings: ScoreSettings, report: Any = None) -> int:
    return score(Fitted.load(model), model, source, settings, report).rows


def rows(path: Path) -> list[dict[str, Any]]:
    return pq.read_table(path).to_pylist()


def approximately(patch: dict[str, Any]) -> dict[str, Any]:
    return patch | {"distance": pytest.approx(patch["distance"], rel=1e-4)}


def same(first: list[dict[str, Any]], second: list[dict[str, Any]]) -> None:
    assert [row["file"] for row in first] == [row["file"] for row in second]
    for one, other in zip(first, second, strict=True):
        for name, value in one.items():
            if name.endswith("_good"):  # distances in it
                value = [approximately(patch) for patch in json.loads(value or "[]")]
                assert json.loads(other[name] or "[]") == value
                continue
            off = {"rel": 1e-3, "abs": 8} if name.endswith("_area") else {"rel": 1e-5}  # squares within rounding of it
            expected = pytest.approx(value, **off, nan_ok=True) if isinstance(value, float) else value
            assert name == "map" or other[name] == expected


@pytest.mark.slow(8)
def test_a_row_per_image_with_spots_maps_and_metadata(surface: Any, images: Path, tmp_path: Path) -> None:
    maps = tmp_path / "maps"
    settings = ScoreSettings(tmp_path / "new" / "s.parquet", maps)
    source = ImageSource(images, tmp_path / "meta.csv")
    assert score_images(surface.model, source, settings) == 12
    table = pq.read_table(settings.output)
    assert table.column_names == ["file", "position", "cavity", "anomaly", "p_value", "anomaly_p_value", *SPOTS, "map"]
    fitted = Fitted.load(surface.model)
    about = json.loads(table.schema.metadata[b"lynkeus"])
    assert about == {
        "images": str(images), "maps": str(maps), "normals": "", "model": str(surface.model),
        "array": "", "normals_array": "",
        **{name: str(fitted.lineage["options"].get(name, "")) for name in ("position", "time")},
        "pixels": fitted.view.rule.to_dict(), "rarest": fitted.calibrations["anomaly"].rarest,
    }  # fmt: skip
    expected = fitted.scorer.inspect(surface.pitted)
    for row, one, pit in zip(table.to_pylist(), expected, surface.pits, strict=True):
        assert row["anomaly"] == pytest.approx(one.score)
        assert np.hypot(row["spot1_x"] - pit[0], row["spot1_y"] - pit[1]) < 8
        assert 0 < row["p_value"] <= 1
        for number in range(1, 4):
            there = number <= len(one.spots)
            assert np.isfinite(row[f"spot{number}_x"]) == there
            assert np.isfinite(row[f"spot{number}_area"]) == there
            patches = [patch._asdict() for patch in one.good_patches[number - 1]] if there else []
            assert json.loads(row[f"spot{number}_good"] or "[]") == [approximately(patch) for patch in patches]
        found = np.load(maps / row["map"], allow_pickle=False)
        assert row["map"] == f"{Path(row['file']).stem}.npy"
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, one.map, atol=1e-5)
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["s.parquet"]


def test_the_scores_say_where_the_good_images_are(surface: Any, images: Path, tmp_path: Path) -> None:
    fitted = Fitted.load(surface.model)
    fitted.lineage["data"] = ImageSource(images).origin
    fitted.save(tmp_path / "model")
    score_images(tmp_path / "model", ImageSource(images), ScoreSettings(tmp_path / "s.parquet"))
    assert json.loads(pq.read_schema(tmp_path / "s.parquet").metadata[b"lynkeus"])["normals"] == str(images)


def test_without_maps_none_are_written(scored: Any, images: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    found = scored(images, tmp_path / "out")
    assert {row["map"] for row in found} == {""}
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["s.parquet"]


def test_p_values_are_those_of_good_images(scored: Any, surface: Any, tmp_path: Path, write_pictures: Any) -> None:
    write_pictures(tmp_path / "later", surface.later)
    write_pictures(tmp_path / "pitted", surface.pitted)
    good = [row["p_value"] for row in scored(tmp_path / "later", tmp_path)]
    pitted = [row["p_value"] for row in scored(tmp_path / "pitted", tmp_path)]
    assert max(pitted) < 0.05 < np.median(good)


@pytest.mark.slow(5)
@pytest.mark.parametrize("processes", [1, 2])
def test_killed_in_the_middle_it_goes_on(
    scored: Any, surface: Any, images: Path, tmp_path: Path, processes: int
) -> None:
    for number in range(12, 20):  # more than what two processes have in hand
        (images / f"{number}.png").write_bytes((images / f"{number - 12:02d}.png").read_bytes())
    output, maps = tmp_path / "s.parquet", tmp_path / "maps"
    (tmp_path / "killed.py").write_text(KILLED, "utf-8")
    command = [tmp_path / "killed.py", surface.model, images, output, maps, processes]
    done = subprocess.run([sys.executable, *map(str, command)], capture_output=True, text=True, timeout=100)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert not output.exists()
    journal = output.with_name("s.parquet.journal")
    before = [json.loads(line)["name"] for line in journal.read_text("utf-8").splitlines()[1:]]
    assert len(before) == 8
    seen: list[int] = []
    times = {file: (maps / f"{Path(file).stem}.npy").stat().st_mtime_ns for file in before}
    count = score_images(
        surface.model,
        ImageSource(images),
        ScoreSettings(output, maps),
        lambda what, _: seen.append(int(what.split()[0])),
    )
    assert (count, seen[0], seen[-1]) == (20, 12, 20)
    assert times == {file: (maps / f"{Path(file).stem}.npy").stat().st_mtime_ns for file in before}
    assert not journal.exists()
    (tmp_path / "again").mkdir()
    same(rows(output), scored(images, tmp_path / "again"))


def test_a_line_that_was_cut_is_scored_again(scored: Any, surface: Any, images: Path, tmp_path: Path) -> None:
    first = scored(images, tmp_path)
    journal, output = tmp_path / "s.parquet.journal", tmp_path / "s.parquet"
    source = ImageSource(images, colour=True)
    key = {"model": identity(surface.model), "images": source.origin, "maps": "None"}
    done = [{"name": row["file"], "stamp": [], "rows": [row]} for row in first[:3]]
    lines = [json.dumps(entry) for entry in (key, *done)]
    journal.write_text("\n".join(lines)[:-40], "utf-8")
    output.unlink()

    def stop(what: str, share: float | None) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        score_images(surface.model, source, ScoreSettings(output), stop)
    assert [json.loads(line).get("name") for line in journal.read_text("utf-8").splitlines()[1:]] == [
        f"{number:02d}.png" for number in range(6)
    ]
    same(first, scored(images, tmp_path))


def test_what_another_model_or_folder_has_left_is_not_used(scored: Any, images: Path, tmp_path: Path) -> None:
    first = scored(images, tmp_path)
    journal = tmp_path / "s.parquet.journal"
    wrong = [{**row, "anomaly": 99.0} for row in first[:5]]
    entries = [{"name": row["file"], "stamp": [], "rows": [row]} for row in wrong]
    lines = [json.dumps(entry) for entry in ({"model": "another"}, *entries)]
    journal.write_text("\n".join(lines) + "\n", "utf-8")
    same(first, scored(images, tmp_path))


@pytest.mark.slow(5)
def test_two_processes_give_the_same_table(scored: Any, images: Path, tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    alone = scored(images, tmp_path / "one", maps=tmp_path / "one" / "maps")
    same(alone, scored(images, tmp_path / "two", maps=tmp_path / "two" / "maps", processes=2))
    for row in alone:
        one, two = (np.load(tmp_path / name / "maps" / row["map"]) for name in ("one", "two"))
        np.testing.assert_allclose(one, two, atol=1e-5)
