"""Latent maps: what lies together does so on the map, purity against chance, and the files that pages read."""

import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from lynkeus.core import SettingsError
from lynkeus.scans import latent
from lynkeus.scans.latent import latent_maps, purity, write_latent

pytestmark = pytest.mark.slow(0.5)  # each, about: many of them, or processes of their own

PLAIN = ("pca", "tsne")


def features(images: int = 150, apart: float = 8.0) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Three vendors apart in 20 dimensions; the label has nothing to do with them."""
    rng = np.random.default_rng(0)
    vendor = rng.integers(3, size=images)
    found = rng.normal(size=(images, 20))
    found[:, :3] += apart * np.eye(3)[vendor]
    meta = {
        "file": np.array([f"a/{k:03d}.jpg" for k in range(images)]),
        "vendor": np.array(list("abc"))[vendor],
        "label": rng.choice(["good", "defect"], images),
        "angle_deg": rng.uniform(0, 360, images),
    }
    return found, meta


def test_files_hold_the_columns_that_pages_read_and_the_numbers(tmp_path: Path) -> None:
    values, meta = features()
    found = write_latent(values, meta, tmp_path, PLAIN)
    table = pq.read_table(tmp_path / "latent.parquet")
    assert table.column_names == ["file", "x", "y", "method", "vendor", "label", "angle_deg"]
    assert table["method"].to_pylist() == ["pca"] * 150 + ["tsne"] * 150
    assert (tmp_path / "latent.png").stat().st_size > 10_000
    numbers = {(one.column, one.method): one for one in found}
    assert set(numbers) == {(c, m) for c in ("vendor", "label") for m in ("features", *PLAIN)}
    assert pq.read_table(tmp_path / "latent_purity.parquet").num_rows == len(found)
    for method in ("features", *PLAIN):
        vendor, label = numbers["vendor", method], numbers["label", method]
        assert vendor.purity > 0.95
        assert (vendor.values, vendor.images) == (3, 150)
        assert vendor.chance == pytest.approx(1 / 3, abs=0.03)
        assert vendor.silhouette > 0.4
        assert label.purity == pytest.approx(label.chance, abs=0.06)
        assert abs(label.silhouette) < 0.1


def test_purity_of_what_does_not_matter_is_rare_in_one_case_of_twenty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(latent, "PERMUTATIONS", 39)
    points, rng = np.random.default_rng(1).normal(size=(60, 5)), np.random.default_rng(2)
    p_values = [purity(points, rng.choice(["x", "y"], 60), "side", "features", seed).p_value for seed in range(150)]
    assert np.mean(np.array(p_values) <= 0.1) == pytest.approx(0.1, abs=0.075)
    assert min(p_values) >= 1 / 40


def test_images_without_a_value_do_not_count() -> None:
    values, meta = features(60)
    vendor = np.where(np.arange(60) < 20, "", meta["vendor"])
    assert purity(values, vendor, "vendor", "features").images == 40


def test_of_many_images_some_are_drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(latent, "MOST_IMAGES", 40)
    values, meta = features(100)
    assert write_latent(values, meta, tmp_path, ("pca",))[0].images == 40
    files = pq.read_table(tmp_path / "latent.parquet")["file"].to_pylist()
    assert len(set(files)) == 40
    assert files == sorted(files)


@pytest.mark.slow(15)
def test_umap_keeps_vendors_together() -> None:
    pytest.importorskip("umap", reason="needs the extra vision")
    values, meta = features(80)
    at = latent_maps(values, ("umap",))["umap"]
    assert at.shape == (80, 2)
    assert purity(at, meta["vendor"], "vendor", "umap").purity > 0.9


def test_what_cannot_be_mapped_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    values, meta = features(30)
    broken = values.copy()
    broken[7, 0] = np.nan
    short = meta | {"vendor": meta["vendor"][:5]}
    for given, of, methods, text in (
        (values[:10], meta, PLAIN, "20 images or texts or more"),
        (broken, meta, PLAIN, "image 7 are not finite"),
        (values, short, PLAIN, "one entry of each column"),
        (values, {}, PLAIN, "a column 'file'"),
        (values, meta, ("isomap",), "no method 'isomap'"),
    ):
        with pytest.raises(SettingsError, match=text):
            write_latent(given, of, tmp_path, methods)
    monkeypatch.setitem(sys.modules, "umap", None)
    with pytest.raises(SettingsError, match=r"umap-learn.*lynkeus\[vision\]"):
        latent_maps(values, ("umap",))
    assert not list(tmp_path.iterdir())
