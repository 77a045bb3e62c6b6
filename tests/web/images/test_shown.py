"""Images that `lynkeus watch` judged, on the inspection pages: as they come, with numbers that stay."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image

from lynkeus.core import Verdict
from lynkeus.monitor.image_records import ImageRecord, add_images
from lynkeus.monitor.store import Store
from lynkeus.web.app import create_app

SPOT = {"spot1_x": 4.0, "spot1_y": 5.0, "spot1_sigma": 7.0, "spot1_area": 30.0, "spot1_good": ""}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "camera"
    (folder / "maps").mkdir(parents=True)
    for name in ("a", "b", "c"):
        Image.fromarray(np.full((16, 20), 90, np.uint8)).save(folder / f"{name}.png")
        np.save(folder / "maps" / f"{name}.png.npy", np.ones((16, 20), np.float32))
    return folder


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'store.db'}"


def judged(folder: Path, name: str, p_value: float, size: int = 1, **more: Any) -> ImageRecord:
    verdict = Verdict.GOOD if p_value > 0.01 else Verdict.BAD
    row = {"file": name, "anomaly": 9.0, "p_value": p_value, "map": f"{name}.npy", "verdict": verdict.value.upper()}
    about = {"images": str(folder), "maps": str(folder / "maps"), "normals": "", "position": "", "time": ""}
    return ImageRecord("MODEL", str(folder), name, name, size, 1, verdict, "", row | SPOT | more, about)


def test_a_store_without_images_has_no_inspection(url: str) -> None:
    with TestClient(create_app(url), base_url="http://localhost") as client:
        assert client.get("/inspect").status_code == 404
        assert "/inspect" not in client.get("/").text


def test_images_are_shown_as_they_come(folder: Path, url: str) -> None:
    store = Store(url)
    with TestClient(create_app(url), base_url="http://localhost") as client:
        add_images(store, [judged(folder, "a.png", 0.5), judged(folder, "b.png", 0.0004, place="cell 3")])
        assert 'href="/inspect"' in client.get("/").text
        assert "MODEL: camera" in client.get("/inspect").text
        page = client.get("/inspect/images/1")
        assert "b.png" in page.text
        assert "cell 3" in page.text
        assert client.get("/inspect/images/1/map").headers["content-type"] == "image/png"
        assert client.get("/inspect/images/1/full").status_code == 200
        add_images(store, [judged(folder, "c.png", 0.2), judged(folder, "a.png", 0.001, size=2)])
        assert client.get("/inspect/images/3").status_code == 404  # a.png has kept its number
        assert "0.001" in client.get("/inspect/images/0").text
        assert "c.png" in client.get("/inspect/images/2").text
    store.close()


def test_an_image_that_could_not_be_read_says_so(folder: Path, url: str) -> None:
    store = Store(url)
    (folder / "d.png").write_bytes(b"no image")
    row = {"file": "d.png", "verdict": "NOT ENOUGH DATA", "reason": "it is corrupt"}
    broken = judged(folder, "d.png", 0.5)
    add_images(store, [ImageRecord(**{**vars(broken), "row": row, "verdict": Verdict.NOT_ENOUGH_DATA})])
    with TestClient(create_app(url), base_url="http://localhost") as client:
        assert client.get("/inspect").status_code == 200
        assert client.get("/inspect/scans/0").status_code == 200
        assert "it is corrupt" in client.get("/inspect/images/0").text
    store.close()


def test_scores_of_files_come_first_and_both_are_shown(folder: Path, url: str, scores: Path) -> None:
    store = Store(url)
    add_images(store, [judged(folder, "a.png", 0.5)])
    with TestClient(create_app(url, scans=[scores]), base_url="http://localhost") as client:
        assert "a.png" in client.get("/inspect/images/24").text
        label = {"label": "good", "who": "N. Shifter", "file": "a.png"}
        said = client.post(
            "/inspect/images/24/labels", data=label, headers={"Origin": "http://localhost"}, follow_redirects=False
        )
        assert said.status_code == 303
        assert client.get("/api/v1/labels", params={"images": str(folder)}).json()[0]["file"] == "a.png"
    store.close()
