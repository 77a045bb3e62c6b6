"""The inspection pages through FastAPI's own client: confinement, escaping, fixed colours, labels, earlier scans."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import h5py
import numpy as np
import pyarrow as pa
import pytest
from fastapi.testclient import TestClient
from PIL import Image
from pyarrow import parquet

from lynkeus.core.errors import SourceError
from lynkeus.sources.images.pixel_rule import PixelRule
from lynkeus.web.app import create_app
from lynkeus.web.images import pictures
from lynkeus.web.images.latent import latent_points
from lynkeus.web.images.scans import ScoredImages, read_parts

WORST = 13  # image 1 of cell 1, after
LABEL = {"label": "defect", "who": "N. Shifter", "class_name": "pit <b>", "note": "near the weld"}
SAME_SITE = {"Origin": "http://localhost"}


def rewrite(scores: Path, change: Callable[[list[dict[str, Any]]], None], **said: Any) -> Path:
    """The scores with other rows or other metadata."""
    table = parquet.read_table(scores)
    rows = table.to_pylist()
    change(rows)
    kept = json.loads(table.schema.metadata[b"lynkeus"]) | said
    parquet.write_table(pa.Table.from_pylist(rows).replace_schema_metadata({b"lynkeus": json.dumps(kept)}), scores)
    return scores


def served(tmp_path: Path, *scores: Path, token: str | None = None) -> TestClient:
    app = create_app(f"sqlite:///{tmp_path / 'labels.db'}", token=token, scans=scores)
    return TestClient(app, base_url="http://localhost", follow_redirects=False)


@pytest.fixture
def inspecting(tmp_path: Path, scores: Path) -> Iterator[TestClient]:
    with served(tmp_path, scores) as client:
        yield client
        client.app.state.site.store.close()  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/scans/0",
        "/scans/0/spots?only=anomalous",
        "/scans/0?only=anomalous&only=unlabelled&order=worst",
        "/images/13",
        "/latent",
    ],
)
def test_pages_are_strict_and_escape_every_name(inspecting: TestClient, path: str) -> None:
    answer = inspecting.get(f"/inspect{path}")
    assert answer.status_code == 200
    policy = answer.headers["content-security-policy"]
    assert "default-src 'self'; script-src 'self';" in policy
    drawn_by_plotly = path == "/latent" or (path.startswith("/scans") and "spots" not in path)
    assert policy.count("unsafe") == drawn_by_plotly  # styles
    html = answer.text
    assert not re.search(r"<script(?![^>]*src=)|<style|\sstyle=|\son\w+=|javascript:|<i>ä|<i>red|<i>gone|<b>CAV", html)
    assert path == "/latent" or "&lt;b&gt;CAV&lt;/b&gt; &amp; 7" in html


def test_worst_scan_is_first_and_says_what_chance_gives(inspecting: TestClient) -> None:
    html = inspecting.get("/inspect").text
    assert html.index("7, after") < html.index("7, before")  # same p-value, higher score
    assert re.search(r"1</span>\s|>1 <span class=\"muted\">by chance 0.12", html)
    first = re.sub(r"\s+", " ", inspecting.get("/").text)
    assert "24 scored" in first
    assert first.index("7, after") < first.index("7, before")


def test_filters_order_and_neighbours(inspecting: TestClient) -> None:
    def shown(query: str) -> list[int]:
        return [int(k) for k in re.findall(r'id="image-(\d+)"', inspecting.get(f"/inspect/scans/0{query}").text)]

    assert shown("") == list(range(12, 24))
    assert shown("?only=anomalous") == [WORST]
    assert shown("?order=worst")[0] == WORST
    html = inspecting.get("/inspect/images/12?only=anomalous").text
    assert "not among the 1 chosen" in html
    assert 'href="/inspect/images/13?only=anomalous"' in html
    points = inspecting.get("/inspect/scans/0/points?only=anomalous").json()
    assert (points["number"], points["place"], points["rare"]) == ([WORST], [60.5], [True])
    assert inspecting.get("/inspect/scans/0/points").json()["ticks"] == [[0.0, "cell 1"], [360.0, "cell 2"]]
    assert inspecting.get("/inspect/scans/0?only=nonsense").status_code == 422
    for path in ("scans/2", "scans/-1", "images/24", "images/-1", f"images/{2**70}"):
        assert inspecting.get(f"/inspect/{path}").status_code in (404, 422)


def test_without_scans_the_pages_say_so(client: TestClient) -> None:
    assert "start it with --scans scores.parquet" in client.get("/inspect").text
    assert "Inspect" not in client.get("/").text


@pytest.mark.parametrize("name", ["../secret.jpg", "/etc/passwd", "link.jpg", "a\0b.jpg", "x" * 5000, ".", "gone.jpg"])
def test_no_file_outside_the_folders_is_shown(tmp_path: Path, scores: Path, name: str) -> None:
    folder = scores.parent
    Image.new("RGB", (8, 8)).save(folder / "secret.jpg")
    np.save(folder / "secret.npy", np.zeros((8, 8), np.float32))
    (folder / "images" / "link.jpg").symlink_to(folder / "secret.jpg")

    def change(rows: list[dict[str, Any]]) -> None:
        rows[0] |= {"file": name, "map": "../secret.npy"}

    with served(tmp_path, rewrite(scores, change)) as client:
        assert "there is no file" in client.get("/inspect/images/0").text
        for picture in ("thumbnail", "full", "map"):
            assert client.get(f"/inspect/images/0/{picture}").status_code == 404
        assert client.get("/inspect/images/1/full").status_code == 200
        assert client.get(f"/inspect/images/{quote('../secret.jpg', safe='')}/full").status_code in (404, 422)


def test_files_that_are_no_pictures_are_refused_in_words(tmp_path: Path) -> None:
    for name, content in (("empty.jpg", b""), ("page.jpg", b"<script>alert(1)</script>"), ("cut.png", b"\x89PNG\r\n")):
        (tmp_path / name).write_bytes(content)
        for make in (pictures.thumbnail, pictures.full, pictures.size_of):
            with pytest.raises(SourceError, match=f"{name} cannot be decoded"):
                make(pictures.Shot(tmp_path / name))
    np.save(tmp_path / "object.npy", np.array([{}]), allow_pickle=True)
    with pytest.raises(SourceError, match="cannot be read as a map"):
        pictures.overlay(tmp_path / "object.npy")
    np.save(tmp_path / "cube.npy", np.zeros((2, 2, 2), np.float32))
    with pytest.raises(SourceError, match="is no map"):
        pictures.overlay(tmp_path / "cube.npy")


def test_pages_deep_greys_and_cut_outs_are_shown_as_they_were_scored(tmp_path: Path) -> None:
    pages = [Image.fromarray(np.full((20, 30), value, np.uint16)) for value in (1000, 1500)]
    pages[0].save(tmp_path / "scan.tif", save_all=True, append_images=pages[1:])
    Image.new("RGBA", (30, 20), (255, 0, 0, 0)).save(tmp_path / "clear.png")
    clear = Image.open(tmp_path / "clear.png")
    clear.putpixel((0, 0), (9, 9, 9, 255))
    clear.save(tmp_path / "clear.png")
    rule = PixelRule(1000.0, 2000.0)
    for name, grey in (("scan.tif#1", 0), ("scan.tif#2", 128), ("clear.png", 128)):
        made = pictures.full(pictures.shot(tmp_path, name, rule))
        shown = Image.open(io.BytesIO(made.content)).convert("L")  # type: ignore[arg-type]
        assert abs(shown.getpixel((25, 15)) - grey) <= 2  # type: ignore[operator]
    with pytest.raises(SourceError, match="there is no file"):
        pictures.shot(tmp_path, "../scan.tif#2", rule)
    with pytest.raises(SourceError, match="cannot be decoded"):
        pictures.full(pictures.shot(tmp_path, "scan.tif#9", rule))


def test_pictures_of_an_array_are_shown_as_they_were_scored(tmp_path: Path, scores: Path) -> None:
    """Each by its number in the HDF5 file, in the page of an image as in its thumbnail, and so are good patches."""
    frames = np.full((40, 30, 40), 1000, np.uint16)
    frames[3, 10:20, 10:20] = 2000
    for name in ("frames.h5", "good.h5"):
        with h5py.File(tmp_path / name, "w") as file:
            file["entry/data"] = frames
    rule = PixelRule(1000.0, 2000.0).to_dict()
    place = {"images": str(tmp_path), "array": "entry/data", "normals": str(tmp_path), "normals_array": "entry/data"}

    def rename(rows: list[dict[str, Any]]) -> None:
        for number, row in enumerate(rows):
            good = json.dumps([{"file": "good.h5#4", "x": 15, "y": 15, "distance": 1.5}])
            row |= {"file": f"frames.h5#{number + 1}", "spot1_x": 15.0, "spot1_y": 15.0}
            row |= {"spot1_sigma": 7.0, "spot1_area": 30.0, "spot1_good": good}

    with served(tmp_path, rewrite(scores, rename, pixels=rule, **place)) as client:
        number = next(k for k in range(40) if "frames.h5#4<" in client.get(f"/inspect/images/{k}").text)
        for address, at in (("full", (15, 15)), ("thumbnail", (15, 15))):
            answer = client.get(f"/inspect/images/{number}/{address}")
            shown = Image.open(io.BytesIO(answer.content)).convert("L")
            assert answer.status_code == 200
            assert shown.size == (40, 30)
            assert shown.getpixel(at) > 200  # type: ignore[operator]
            assert shown.getpixel((35, 25)) < 50  # type: ignore[operator]
        good = client.get(f"/inspect/images/{number}/spots/0/good/0")
        assert good.status_code == 200
        assert good.headers["content-type"] == "image/png"
        client.app.state.site.store.close()  # type: ignore[attr-defined]
    with pytest.raises(SourceError, match="#99 of entry/data cannot be read"):
        pictures.full(pictures.shot(tmp_path, "frames.h5#99", PixelRule(), "entry/data"))


def test_pictures_are_turned_and_shown_in_formats_a_browser_knows(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # a quarter turn
    Image.new("RGB", (3488, 2816), "red").save(tmp_path / "turned.jpg", exif=exif)
    assert pictures.size_of(pictures.Shot(tmp_path / "turned.jpg")) == (2816, 3488)
    small = Image.open(io.BytesIO(pictures.thumbnail(pictures.Shot(tmp_path / "turned.jpg")).content))  # type: ignore[arg-type]
    assert small.size == (155, 192)
    assert pictures.full(pictures.Shot(tmp_path / "turned.jpg")) == ("image/jpeg", tmp_path / "turned.jpg")
    deep = Image.fromarray(np.full((20, 30), 0x8000, np.uint16))
    for name, image in (("deep.png", deep), ("grey.tif", deep), ("inks.jpg", Image.new("CMYK", (30, 20)))):
        image.save(tmp_path / name)
        made = pictures.full(pictures.Shot(tmp_path / name))
        assert made.media_type == "image/jpeg"
        shown = Image.open(io.BytesIO(made.content))  # type: ignore[arg-type]
        assert shown.size == (30, 20)
        assert name == "inks.jpg" or abs(shown.getpixel((3, 3)) - 0x80) <= 1  # type: ignore[operator]


def test_colours_are_the_same_for_every_map_and_keep_small_spots(tmp_path: Path) -> None:
    quiet = pictures.colours_of(np.array([np.nan, -3.0, 0.0, 1.9, 3.5, 5.0, 10.0, 99.0]))
    assert quiet[:, 3].tolist() == [0, 0, 0, 0, 128, 255, 255, 255]
    assert quiet[6].tolist() == quiet[7].tolist() == [252, 255, 164, 255]
    for top in (6.0, 12.0):  # another maximum elsewhere changes nothing here
        sigma = np.zeros((2816, 3488), np.float32)
        sigma[701, 1003], sigma[9, 9] = 5.0, top
        np.save(tmp_path / f"{top}.npy", sigma)
        drawn = np.asarray(Image.open(io.BytesIO(pictures.overlay(tmp_path / f"{top}.npy").content)))  # type: ignore[arg-type]
        assert drawn.shape == (704, 872, 4)
        assert drawn[701 // 4, 1003 // 4].tolist() == [188, 55, 84, 255]
        assert (drawn[..., 3] > 0).sum() == 2


def test_pictures_may_be_kept_by_the_browser_under_a_name_of_their_own(inspecting: TestClient) -> None:
    keys = set()
    for number in (0, 1):
        html = inspecting.get(f"/inspect/images/{number}").text
        keys.add(re.search(rf"images/{number}/full\?v=(\w+)", html)[1])  # type: ignore[index]
        for picture in ("thumbnail", "full", "map"):
            answer = inspecting.get(f"/inspect/images/{number}/{picture}")
            assert answer.headers["cache-control"] == "private, max-age=3600"
            assert answer.headers["content-type"] == ("image/png" if picture == "map" else "image/jpeg")
            assert answer.headers["x-content-type-options"] == "nosniff"
    assert len(keys) == 2


def test_a_label_is_appended_shown_and_exported(inspecting: TestClient, scores: Path) -> None:
    file = parquet.read_table(scores).column("file").to_pylist()[WORST]
    path = f"/inspect/images/{WORST}/labels?order=worst"
    answer = inspecting.post(path, data=LABEL | {"file": file}, headers=SAME_SITE)
    assert (answer.status_code, answer.headers["location"]) == (303, f"/inspect/images/{WORST}?order=worst")
    answer = inspecting.post(path, data=LABEL | {"file": file, "label": "unsure", "go_on": "true"}, headers=SAME_SITE)
    assert re.fullmatch(r"/inspect/images/\d+\?order=worst", answer.headers["location"])
    assert answer.headers["location"] != f"/inspect/images/{WORST}?order=worst"
    html = inspecting.get(f"/inspect/images/{WORST}").text
    history = html[html.index("What was said") :]
    assert history.index("unsure") < history.index("defect")
    assert "pit &lt;b&gt;" in history
    assert inspecting.get("/inspect/scans/0").text.count('class="is-unsure"') == 1
    assert f"image-{WORST}" not in inspecting.get("/inspect/scans/0?only=unlabelled").text
    rows = inspecting.get("/api/v1/labels").json()
    assert [(row["file"], row["label"]) for row in rows] == [(file, "defect"), (file, "unsure")]
    assert inspecting.get("/api/v1/labels", params={"images": "/elsewhere"}).json() == []
    table = list(csv.DictReader(io.StringIO(inspecting.get("/api/v1/labels?form=csv").text)))
    assert [(row["file"], row["class_name"]) for row in table] == [(file, "pit <b>")] * 2
    assert all(row["images"] == str(scores.parent / "images") for row in table)


def test_labels_are_checked_and_stale_numbers_refused(inspecting: TestClient) -> None:
    path = f"/inspect/images/{WORST}/labels"
    assert inspecting.post(path, data=LABEL | {"file": "other.jpg"}).status_code == 409
    for bad in ({"label": "maybe"}, {"who": " "}, {"class_name": "x" * 81}, {"note": "x" * 2001}):
        assert inspecting.post(path, data=LABEL | {"file": "other.jpg"} | bad).status_code == 422
    assert inspecting.post(path, data=LABEL, headers={"Origin": "http://evil.example"}).status_code == 403
    assert inspecting.get("/api/v1/labels").json() == []


def test_a_label_needs_the_token(tmp_path: Path, scores: Path) -> None:
    file = parquet.read_table(scores).column("file").to_pylist()[WORST]
    with served(tmp_path, scores, token="a-token-of-some-length") as client:
        path = f"/inspect/images/{WORST}"
        assert client.post(f"{path}/labels", data=LABEL | {"file": file}, headers=SAME_SITE).status_code == 401
        assert "/login?back=%2Finspect%2Fimages%2F13" in client.get(path).text
        client.post("/login", data={"token": "a-token-of-some-length", "back": path}, headers=SAME_SITE)
        assert client.post(f"{path}/labels", data=LABEL | {"file": file}, headers=SAME_SITE).status_code == 303


def test_the_same_place_in_an_earlier_scan(scores: Path) -> None:
    images = ScoredImages(read_parts([scores]))
    assert [images.earlier(k) for k in (12, 13, 23)] == [0, 1, 11]  # half a degree away, a day before
    assert images.earlier(1) is None

    def later(rows: list[dict[str, Any]]) -> None:
        rows[1]["time"] = "2015-03-05"

    assert ScoredImages(read_parts([rewrite(scores, later)])).earlier(13) is None

    def positions(rows: list[dict[str, Any]]) -> None:
        for row in rows:
            row["place"] = f"{row['cell']}/{row.pop('angle_deg') // 60}"

    images = ScoredImages(read_parts([rewrite(scores, positions, position="place")]))
    assert images.earlier(1) == 13  # whose time is now the earlier one
    assert [images.earlier(k) for k in (12, 23)] == [0, 11]


def test_without_metadata_there_is_one_scan_in_file_order(tmp_path: Path, scores: Path) -> None:
    def bare(rows: list[dict[str, Any]]) -> None:
        for row in rows:
            for name in ("cavity", "scan", "time", "cell", "angle_deg", "vendor", "map"):
                del row[name]

    with served(tmp_path, rewrite(scores, bare, maps="", time="")) as client:
        assert client.get("/inspect").text.count("/inspect/scans/0") == 2
        assert "/inspect/scans/1" not in client.get("/inspect").text
        assert client.get("/inspect/scans/0/points").json()["place"] == list(range(1, 25))
        assert "no map" in client.get("/inspect/images/3").text
        assert client.get("/inspect/images/3/map").status_code == 404


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda path: path.write_text("no table"), "cannot be read as a Parquet table of scores"),
        (lambda path: parquet.write_table(pa.table({"file": ["a"]}), path), "lacks column 'anomaly'"),
        (lambda path: rewrite(path, lambda rows: rows[0].update(images=1), images=None), "'lynkeus' cannot be read"),
        (
            lambda path: parquet.write_table(parquet.read_table(path).replace_schema_metadata(), path),
            "lacks where its images are",
        ),
        (lambda path: parquet.write_table(parquet.read_table(path).slice(0, 0), path), "holds no image"),
        (lambda path: path.unlink(), "cannot be read"),
    ],
)
def test_scores_that_cannot_be_shown_are_one_line(scores: Path, spoil: Callable[[Path], Any], says: str) -> None:
    spoil(scores)
    with pytest.raises(SourceError, match=says) as caught:
        ScoredImages(read_parts([scores]))
    assert "\n" not in str(caught.value)


def test_a_folder_of_scores_and_several_files(tmp_path: Path, scores: Path, surfaces: Callable[..., Path]) -> None:
    (tmp_path / "other").mkdir()
    other = surfaces(tmp_path / "other", cells=1, angles=2)
    assert len(ScoredImages(read_parts([scores.parent, other]))) == 28  # latent.parquet beside them is no scores file
    with pytest.raises(SourceError, match="names no Parquet file"):
        ScoredImages(read_parts([tmp_path / "other" / "images"]))


def test_latent_map_has_methods_columns_and_points(scores: Path) -> None:
    images = ScoredImages(read_parts([scores]))
    drawn = latent_points(images, "t-SNE", "cell")
    assert (drawn["methods"], drawn["method"], len(drawn["number"])) == (["PCA", "t-SNE"], "t-SNE", 24)
    assert drawn["y"] == [float(value) for value in drawn["values"]]
    assert drawn["number"] == list(range(24))
    assert not drawn["numeric"]
    assert latent_points(images, "PCA", "anomaly")["numeric"]
    assert latent_points(images, "no such", "no such")["colour"] == "vendor"
    (scores.parent / "latent.parquet").unlink()
    assert "There is no latent.parquet" in latent_points(images, "", "")["message"]
