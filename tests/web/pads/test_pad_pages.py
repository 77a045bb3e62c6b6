"""The page of pads: what it fetches, labels and who may give them, the file without a server, and a real browser."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from fastapi.testclient import TestClient
from tests.pads_kr import spectra, write

from lynkeus.core import SourceError
from lynkeus.monitor.human_labels import human_labels
from lynkeus.pads.table import ABOUT
from lynkeus.web.app import create_app
from lynkeus.web.pads.export import write_page
from lynkeus.web.pads.retrain import commands

SAME_SITE = {"Origin": "http://localhost"}


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pads")
    own = spectra(6, rows=6, pads=20, decays=(50, 90))
    data = write(folder / "kr.npz", own)
    good = own["truth"] == "fine"
    good &= ~((own["sector"] == 1) & (own["row"] == 2) & (own["pad"] < 5))
    columns = {name: own[name] for name in ("sector", "row", "pad", "x", "y", "gain")}
    columns |= {
        "card": own["pad"] // 10,
        "class": np.where(good, "good", "<b>dead"), "good": good, "gain_error": own["gain"] * 0.01,
        "counts": own["counts"].sum(axis=1).astype(float), "probability_good": np.where(good, 0.9, 0.2),
    }  # fmt: skip
    about = {ABOUT: json.dumps({"data": str(data), "model": str(folder), "layout": None})}
    pq.write_table(pa.table(columns).replace_schema_metadata(about), folder / "pads.parquet")
    return folder / "pads.parquet"


@pytest.fixture
def store(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 's.db'}"


@pytest.fixture
def client(table: Path, store: str) -> Iterator[TestClient]:
    with TestClient(create_app(store, pads=table), base_url="http://localhost") as client:
        yield client


def test_the_page_says_what_the_plane_is_made_of(client: TestClient) -> None:
    page = client.get("/pads")
    assert page.status_code == 200
    assert "&lt;b&gt;dead" in page.text
    assert 'href="/pads"' in client.get("/").text
    about = client.get("/api/v1/pads/about").json()
    assert about["pads"] == 240
    assert sum(about["counts"]) == 240
    largest = about["clusters"][0]
    assert largest["size"] >= 5
    assert largest["kind"] == "<b>dead"
    x = np.frombuffer(client.get("/api/v1/pads/columns/x").content, np.float32)
    assert len(x) == 240
    width = np.frombuffer(client.get("/api/v1/pads/columns/width").content, np.float32)
    np.testing.assert_allclose(width, 4.0, rtol=1e-5)
    order = np.frombuffer(client.get("/api/v1/pads/columns/order").content, np.uint32)
    assert sorted(order.tolist()) == list(range(240))
    assert client.get("/api/v1/pads/columns/secret").status_code == 404


def test_a_pad_has_its_spectrum_beside_its_neighbours_and_the_mean(client: TestClient) -> None:
    found = client.get("/api/v1/pads/25").json()
    assert len(found["spectrum"]["counts"]) == len(found["spectrum"]["mean"]) == 120
    assert sum(found["spectrum"]["counts"]) == found["facts"]["counts"]
    assert found["name"] == "1/1/5"
    assert client.get("/api/v1/pads/999").status_code == 404


def test_labels_are_kept_and_learned_from(client: TestClient, store: str, table: Path) -> None:
    said = {"label": "good", "pad": "1/1/5", "who": "N. Shifter"}
    assert client.post("/api/v1/pads/25/label", data=said, headers=SAME_SITE).json() == {
        "name": "1/1/5",
        "label": "good",
    }
    assert client.post("/api/v1/pads/25/label", data={**said, "label": "noisy"}, headers=SAME_SITE).status_code == 200
    assert client.get("/api/v1/pads/about").json()["labels"] == {"1/1/5": "noisy"}
    assert human_labels(store).pads == {"1/1/5": "noisy"}
    assert client.post("/api/v1/pads/26/label", data=said, headers=SAME_SITE).status_code == 409
    assert client.post("/api/v1/pads/25/label", data={**said, "label": "nice"}, headers=SAME_SITE).status_code == 422
    assert client.post("/api/v1/pads/25/label", data=said, headers={"Origin": "http://elsewhere"}).status_code == 403


def test_beyond_localhost_labels_and_training_need_the_token(table: Path, store: str) -> None:
    app = create_app(store, token="s3cret", pads=table)
    with TestClient(app, base_url="http://localhost") as client:
        said = {"label": "good", "pad": "1/1/5", "who": "x"}
        assert client.post("/api/v1/pads/25/label", data=said).status_code == 401
        assert client.post("/api/v1/pads/retrain", data={"go": "1"}).status_code == 401
        assert "sign in" in client.get("/pads").text
        bearer = {"Authorization": "Bearer s3cret"}
        assert client.post("/api/v1/pads/25/label", data=said, headers=bearer).status_code == 200


def test_training_needs_labels_and_calls_fit_and_score(client: TestClient, tmp_path: Path) -> None:
    refused = client.post("/api/v1/pads/retrain", data={"go": "1"}, headers=SAME_SITE)
    assert refused.status_code == 409
    assert "nobody has labelled" in refused.json()["detail"]
    about = {"data": "kr.npz", "model": "M", "layout": {"pads": {"unit": "ADC"}}, "labels": "label"}
    fit, score = commands(about, "sqlite:///s.db", Path("pads.parquet"), tmp_path)
    assert fit[:2] == ["fit", "kr.npz"]
    assert fit[fit.index("--verdicts") + 1] == "sqlite:///s.db"
    assert score == ["score", "M", "kr.npz", "-o", "pads.parquet"]
    assert 'unit = "ADC"' in (tmp_path / "layout.toml").read_text("utf-8")


def test_without_pads_there_is_no_page(store: str) -> None:
    with TestClient(create_app(store), base_url="http://localhost") as client:
        assert client.get("/pads").status_code == 404
        assert "Pads" not in client.get("/").text


def test_a_table_of_something_else_is_refused(tmp_path: Path, store: str) -> None:
    pq.write_table(pa.table({"a": [1]}), tmp_path / "x.parquet")
    with pytest.raises(SourceError, match="no table of pads"):
        create_app(store, pads=tmp_path / "x.parquet")


@pytest.mark.browser
@pytest.mark.slow
def test_a_plane_is_zoomed_clicked_and_labelled_by_keys(table: Path, store: str, serving: Any, watch: Any) -> None:
    with serving(create_app(store, pads=table)) as address:
        page = watch(address).page
        page.goto(f"{address}/pads")
        page.wait_for_selector("body[data-ready]")
        page.locator("#clusters button").first.click()
        page.wait_for_selector("#facts dd")
        assert "PROBLEMATIC" in page.inner_text("#facts") or "dead" in page.inner_text("#facts")
        page.locator("#scan").click()
        page.wait_for_selector("#scan[aria-pressed=true]")
        page.wait_for_timeout(500)
        page.keyboard.press("1")
        page.wait_for_selector("#state:has-text('1 pads labelled')")
        assert len(human_labels(store).pads) == 1
        page.select_option("#quantity", "gain")
        page.wait_for_selector("#scale:has-text('dark')")


def test_the_file_without_a_server_holds_everything(table: Path, tmp_path: Path) -> None:
    line = write_page(table, tmp_path / "page.html")
    text = (tmp_path / "page.html").read_text("utf-8")
    assert "240 pads" in line
    assert "window.PADS" in text
    assert "<b>dead" not in text
    assert "src=" not in text
