"""Spots on the inspection pages: ranked, and beside the good patches most like them; nothing else can be read."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from fastapi.testclient import TestClient
from PIL import Image
from pyarrow import parquet

from lynkeus.core.errors import SourceError
from lynkeus.web.app import create_app
from lynkeus.web.images import pictures
from lynkeus.web.images.scans import ScoredImages, StoredSpot, read_parts

WORST = 13  # image 1 of cell 1, after


def served(tmp_path: Path, scores: Path) -> TestClient:
    return TestClient(create_app(f"sqlite:///{tmp_path / 'labels.db'}", scans=[scores]), base_url="http://localhost")


def rewrite(scores: Path, good: str | None = None, **said: str) -> Path:
    """With other good patches of the first spots, and other metadata."""
    table = parquet.read_table(scores)
    if good is not None:
        place = table.column_names.index("spot1_good")
        table = table.set_column(place, "spot1_good", pa.array([good] * len(table)))
    kept = json.loads(parquet.read_schema(scores).metadata[b"lynkeus"]) | said
    parquet.write_table(table.replace_schema_metadata({b"lynkeus": json.dumps(kept)}), scores)
    return scores


@pytest.fixture
def inspecting(tmp_path: Path, scores: Path) -> Iterator[TestClient]:
    with served(tmp_path, scores) as client:
        yield client
        client.app.state.site.store.close()  # type: ignore[attr-defined]


def test_spots_of_a_scan_are_listed_highest_first(inspecting: TestClient) -> None:
    html = inspecting.get("/inspect/scans/0/spots").text
    assert "24 spots in 12 images" in html
    listed = re.findall(r'<a class="picture" href="/inspect/images/(\d+)#spot-(\d)">', html)
    others = [(str(k), "1") for k in range(12, 24) if k != WORST]
    assert listed == [(str(WORST), "1"), *others, *((str(k), "2") for k in range(12, 24))]
    first = html[html.index("<tbody>") : html.index("</tr>", html.index("<tbody>"))]
    assert re.findall(r'data-label="(?:Rank|&sigma;|Cell|Angle|x, y)">(?:<strong class="many">)?([^<]*)', first) == [
        "1", "9.6", "1", "60.5&deg;", "40, 30",
    ]  # fmt: skip
    assert inspecting.get("/inspect/scans/0/spots?only=anomalous").text.count('class="picture"') == 2
    assert "No spots were named" in inspecting.get("/inspect/scans/0/spots?start=24").text
    assert inspecting.get("/inspect/scans/2/spots").status_code == 404
    assert inspecting.get("/inspect/scans/0/spots?start=20").text.count('class="picture"') == 4


def test_ranking_leaves_out_what_is_not_there(scores: Path) -> None:
    table = parquet.read_table(scores)
    sigma = np.array(table.column("spot1_sigma")).copy()
    sigma[:5] = np.nan  # then the second one counts as no spot either
    place = table.column_names.index("spot1_sigma")
    parquet.write_table(table.set_column(place, "spot1_sigma", pa.array(sigma)), scores)
    images = ScoredImages(read_parts([scores]))
    of_image, which = images.spots_highest_first(np.arange(24))
    shown = [images.image(row).spots[k].sigma for row, k in zip(of_image.tolist(), which.tolist(), strict=True)]
    assert shown == sorted(shown, reverse=True)
    assert len(shown) == 2 * 19 == sum(len(image.spots) for image in images.images(np.arange(24)))


def test_a_spot_is_shown_beside_good_patches_at_the_same_scale(inspecting: TestClient) -> None:
    html = inspecting.get(f"/inspect/images/{WORST}").text
    assert html.count("<figure title=") == 3
    assert "[a]/&lt;i&gt;gone &amp;.png at x 9, y 20</span>" in html  # in place of its picture
    addresses = re.findall(r'src="(/inspect/images/13/spots/[^"]+)"', html)
    assert [address.split("?")[0].removeprefix("/inspect/images/13/spots/") for address in addresses] == [
        "0", "0/good/0", "0/good/1", "1",
    ]  # fmt: skip
    shown = [Image.open(io.BytesIO(inspecting.get(address).content)) for address in addresses]
    assert {one.size for one in shown} == {(64, 64)}
    assert shown[0].getpixel((32, 32))[0] > shown[0].getpixel((5, 62))[0] + 40  # type: ignore[index]
    for one, colour in zip(shown[1:3], ((255, 0, 0, 255), (0, 128, 0, 255)), strict=True):
        assert one.getpixel((32, 32)) == colour
        assert one.getpixel((22, 32))[3] == 0  # type: ignore[index]  # beyond the edge: 9 pixels away
    for missing in ("0/good/2", "0/good/3", "0/good/-1", "1/good/0", "2", "-1"):
        assert inspecting.get(f"/inspect/images/{WORST}/spots/{missing}").status_code == 404, missing


@pytest.mark.parametrize("name", ["../secret.png", "/etc/passwd", "link.png", "x" * 5000, ".", "", "a\0b.png"])
def test_no_good_image_outside_its_folder_is_shown(tmp_path: Path, scores: Path, name: str) -> None:
    folder = scores.parent
    Image.new("RGB", (8, 8)).save(folder / "secret.png")
    (folder / "normals" / "link.png").symlink_to(folder / "secret.png")

    good = json.dumps([{"file": name, "x": 2.0, "y": 2.0, "distance": 1.0}])
    with served(tmp_path, rewrite(scores, good)) as client:
        assert client.get("/inspect/images/0").text.count('class="absent"') == 1
        assert client.get("/inspect/images/0/spots/0/good/0").status_code == 404


def test_without_the_folder_of_good_images_names_are_shown(tmp_path: Path, scores: Path) -> None:
    with served(tmp_path, rewrite(scores, normals="")) as client:
        assert client.get("/inspect/images/1").text.count('class="absent"') == 3
        assert "is not known" in client.get("/inspect/images/1/spots/0/good/0").text
    table = parquet.read_table(scores).drop_columns([f"spot{k}_good" for k in (1, 2)])
    parquet.write_table(table, scores)  # by a scorer that knows none
    with served(tmp_path, scores) as client:
        html = client.get("/inspect/images/1").text
        assert "<figure title=" not in html
        assert "good patches" not in html
        assert html.count('class="own"') == 2


@pytest.mark.parametrize(
    "text",
    ["", "{", "3", "null", "[3]", '[{"file": "a"}]', '[{"file": 3, "x": 1, "y": 1, "distance": 1}]',
     '[{"file": "a", "x": NaN, "y": 1, "distance": 1}]', '[{"file": "a", "x": null, "y": 1, "distance": 1}]'],
)  # fmt: skip
def test_good_patches_that_cannot_be_read_are_none(text: str) -> None:
    assert StoredSpot(1.0, 2.0, 3.0, 4.0, text).alike == ()


def test_a_crop_is_turned_like_the_picture_and_transparent_beyond_it(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # a quarter turn
    picture = Image.new("RGB", (300, 100))
    picture.putpixel((250, 60), (255, 255, 255))  # shown at x 39, y 250
    picture.save(tmp_path / "turned.png", exif=exif)
    found = np.asarray(
        Image.open(io.BytesIO(pictures.crop(pictures.Shot(tmp_path / "turned.png"), 39.2, 249.8, 128).content))
    )  # type: ignore[arg-type]
    assert found.shape == (128, 128, 4)
    assert np.argwhere(found[..., 0] == 255).tolist() == [[64, 64]]
    assert np.flatnonzero(found[64, :, 3]).tolist() == list(range(25, 125))
    assert np.flatnonzero(found[:, 64, 3]).tolist() == list(range(114))
    with pytest.raises(SourceError, match=r"turned.png has no such place: it is 100 x 300 pixels"):
        pictures.crop(pictures.Shot(tmp_path / "turned.png"), 400.0, 2.0, 64)
