"""Images as they come: broken, turned, of any mode, size and name; and requests that cannot be met, in one line."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from lynkeus.core import SchemaError, SettingsError, SourceError
from lynkeus.fitting.fit import FitSettings, fit
from lynkeus.fitting.fitted import Fitted
from lynkeus.fitting.score import ScoreSettings, score
from lynkeus.sources.images.folder import ImageSource


def score_images(model: Path, source: ImageSource, settings: ScoreSettings, report: Any = None) -> int:
    return score(Fitted.load(model), model, source, settings, report).rows


pytestmark = pytest.mark.slow(0.2)  # each; a fit takes six seconds


def rows(path: Path) -> list[dict[str, Any]]:
    return pq.read_table(path).to_pylist()


def test_corrupt_images_are_listed_and_skipped(surface: Any, images: Path, tmp_path: Path) -> None:
    (images / "empty.png").write_bytes(b"")
    (images / "text.jpg").write_bytes(b"this is no image")
    (images / "torn.png").write_bytes((images / "03.png").read_bytes()[:3000])
    source = ImageSource(images)
    assert score_images(surface.model, source, ScoreSettings(tmp_path / "s.parquet", tmp_path / "maps")) == 12
    (message,) = source.messages
    assert message.startswith("3 of 15 images were skipped: ")
    assert all(f"{name} is" in message for name in ("empty.png", "text.jpg", "torn.png"))
    assert len(rows(tmp_path / "s.parquet")) == len(list((tmp_path / "maps").iterdir())) == 12


def test_names_that_are_alike_and_names_with_anything_in_them(
    scored: Any, surface: Any, tmp_path: Path, write_pictures: Any
) -> None:
    names = ["a/1.png", "b/1.png", "ä [ö] (ü)/x y.png", "b/x%20y.png", "c/2.png", "c/2.bmp", "q'\"&<i>.png"]
    write_pictures(tmp_path / "in", surface.pitted, names)
    found = scored(tmp_path / "in", tmp_path, maps=tmp_path / "maps")
    assert [row["file"] for row in found] == sorted(names)
    files = {row["file"]: row["map"] for row in found}
    assert len(set(files.values())) == len(names)
    assert (files["a/1.png"], files["b/1.png"]) == ("a/1.npy", "b/1.npy")
    assert (files["c/2.png"], files["c/2.bmp"]) == ("c/2.png.npy", "c/2.bmp.npy")
    assert files["ä [ö] (ü)/x y.png"] == "x y.npy"
    for name, pit in zip(names, surface.pits, strict=False):
        row = next(row for row in found if row["file"] == name)
        assert np.hypot(row["spot1_x"] - pit[0], row["spot1_y"] - pit[1]) < 8
        assert np.load(tmp_path / "maps" / row["map"]).shape == (96, 128)


def test_spots_and_map_are_those_of_the_picture_as_a_viewer_shows_it(scored: Any, surface: Any, tmp_path: Path) -> None:
    """The file lies on its side and says so (EXIF 6: turn by 90 degrees to the right)."""
    (tmp_path / "in").mkdir()
    upright = Image.fromarray(np.ascontiguousarray(surface.pitted.values[0].transpose(1, 2, 0)))
    exif = Image.Exif()
    exif[0x0112] = 6
    upright.rotate(90, expand=True).save(tmp_path / "in" / "turned.png", exif=exif)
    upright.save(tmp_path / "in" / "upright.png")
    turned, plain = scored(tmp_path / "in", tmp_path, maps=tmp_path / "maps")
    assert turned["anomaly"] == pytest.approx(plain["anomaly"])
    assert (turned["spot1_x"], turned["spot1_y"]) == pytest.approx((plain["spot1_x"], plain["spot1_y"]))
    assert np.load(tmp_path / "maps" / "turned.npy").shape == (96, 128)


def test_modes_and_sizes_that_differ_share_a_table(scored: Any, surface: Any, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    pixels = np.ascontiguousarray(surface.pitted.values[0].transpose(1, 2, 0))
    colour = Image.fromarray(pixels)
    colour.convert("CMYK").save(folder / "cmyk.tif")
    colour.convert("L").save(folder / "grey.png")
    colour.convert("RGBA").save(folder / "alpha.png")
    Image.fromarray(pixels[..., 0].astype(np.uint16) * 257).save(folder / "sixteen.png")
    colour.resize((160, 90)).save(folder / "other.png")
    colour.save(folder / "plain.png")
    found = {row["file"]: row for row in scored(folder, tmp_path, maps=tmp_path / "maps")}
    assert len(found) == 6
    assert all(np.isfinite(row["anomaly"]) for row in found.values())
    for name in ("cmyk.tif", "alpha.png"):
        assert found[name]["anomaly"] == pytest.approx(found["plain.png"]["anomaly"], abs=0.3)
    assert np.load(tmp_path / "maps" / "other.npy").shape == (90, 160)
    assert np.hypot(found["sixteen.png"]["spot1_x"] - surface.pits[0][0], 0) < 8


@pytest.mark.slow(4)
def test_a_grey_model_scores_colour_and_a_colour_model_grey(
    surface: Any, tmp_path: Path, write_pictures: Any, lynkeus: Callable[..., Any]
) -> None:
    grey = tmp_path / "grey"
    grey.mkdir()
    for number, pixels in enumerate(surface.good.values):
        Image.fromarray(np.ascontiguousarray(pixels.transpose(1, 2, 0))).convert("L").save(grey / f"{number:02d}.png")
    options = {"copies": 1, "training": {"epochs": 2}}
    fit(ImageSource(grey), FitSettings("inspect", options)).save(tmp_path / "model")
    write_pictures(tmp_path / "colour", surface.later)
    for model, images, count in ((tmp_path / "model", tmp_path / "colour", 12), (surface.model, grey, 24)):
        assert lynkeus("score", model, images, "-o", tmp_path / "s.parquet").code == 0
        assert len(rows(tmp_path / "s.parquet")) == count
    with pytest.raises(SchemaError, match="names"):
        score_images(surface.model, ImageSource(grey), ScoreSettings(tmp_path / "s.parquet"))


def test_metadata_without_image_and_images_without_metadata_are_said(
    surface: Any, images: Path, tmp_path: Path, lynkeus: Callable[..., Any]
) -> None:
    lines = (tmp_path / "meta.csv").read_text("utf-8").splitlines()
    (tmp_path / "meta.csv").write_text("\n".join([*lines[:-1], "gone.png,p1,cav9"]) + "\n", "utf-8")
    done = lynkeus("score", surface.model, images, "-o", "s.parquet", "--meta", tmp_path / "meta.csv")
    assert done.code == 0
    assert "1 metadata rows have no image: gone.png" in done.err
    assert "1 images have no metadata row: 11.png" in done.err
    found = rows(tmp_path / "s.parquet")
    assert [row["file"] for row in found][-1] == "11.png"
    assert found[-1]["position"] == ""
    assert "gone.png" not in [row["file"] for row in found]


def test_bad_requests_are_one_line(
    surface: Any, images: Path, orbits: Any, tmp_path: Path, lynkeus: Callable[..., Any], write_pictures: Any
) -> None:
    model, meta = surface.model, tmp_path / "meta.csv"
    few = tmp_path / "few"
    write_pictures(few, surface.good[:5])
    write_pictures(tmp_path / "good", surface.good)
    assert lynkeus("bundle", images, tmp_path / "bundle").code == 0
    (tmp_path / "nothing").mkdir()
    (tmp_path / "file").write_text("x", "utf-8")
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "a.png").write_bytes(b"")
    for words, says in (
        (
            ("fit", images, "-s", "inspect", "-o", "m", "--meta", meta, "--position", "angle"),
            "--position angle: no such",
        ),
        (("fit", few, "-s", "inspect", "-o", "m"), "only 5 samples"),
        (("fit", tmp_path / "good", "-s", "inspect", "-o", "m", "--set", "backbone=resnet"), "backbone must be one of"),
        (("score", orbits.model, images, "-o", "s.parquet", "--maps", "maps"), "--maps: the scorer orbit makes none"),
        (("score", model, tmp_path / "nothing", "-o", "s.parquet"), "no image with the ending"),
        (("score", model, tmp_path / "bundle", "-o", "s.parquet"), "is a bundle, from which a model is fitted"),
        (("score", model, broken, "-o", "s.parquet"), "is empty (0 bytes)"),
        (("score", model, images, "-o", tmp_path / "nothing"), "is a folder: give a file name"),
        (("score", model, images, "-o", "s.parquet", "--maps", tmp_path / "file"), "is a file: give a folder"),
        (("score", model, images, "-o", tmp_path / "file" / "s.parquet"), "is a file: give a folder"),
        (("score", model, images, "-o", "s.parquet", "--processes", "0"), "processes must be at least 1"),
        (("score", model, images, "-o", "s.parquet", "--meta", "none.csv"), "none.csv"),
    ):
        line = lynkeus(*words).line
        assert says in line, line
    assert not (tmp_path / "s.parquet").exists()
    assert not (tmp_path / "m").exists()


def test_settings_that_cannot_be_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="at least 1, got 0"):
        ScoreSettings(tmp_path / "s.parquet", processes=0)
    with pytest.raises(SettingsError, match="is a folder"):
        ScoreSettings(tmp_path)


@pytest.mark.skipif(sys.platform != "linux" or os.getuid() != 0, reason="a small file system needs root")
def test_a_full_disk_is_said_and_gone_on_from(surface: Any, images: Path, tmp_path: Path) -> None:
    small = tmp_path / "small"
    small.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=200k", "tmpfs", str(small)], capture_output=True).returncode:
        pytest.skip("no file system can be mounted here")
    try:
        source, settings = ImageSource(images), ScoreSettings(tmp_path / "s.parquet", small / "maps")
        with pytest.raises(SourceError, match=r"maps/\d+\.npy: cannot write \(the disk is full\).*it goes on"):
            score_images(surface.model, source, settings)
        subprocess.run(["mount", "-o", "remount,size=2m", str(small)], check=True)
        seen: list[int] = []
        assert score_images(surface.model, source, settings, lambda what, _: seen.append(int(what.split()[0]))) == 12
    finally:
        subprocess.run(["umount", "-l", str(small)], check=True)
    assert len(rows(tmp_path / "s.parquet")) == 12
