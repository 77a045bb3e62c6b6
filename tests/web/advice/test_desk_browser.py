"""The desk in a real browser: a click decides, what was decided leaves, hostile names stay text."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from lynkeus.web.app import create_app
from lynkeus.web.site import Advising

pytestmark = [pytest.mark.slow, pytest.mark.browser]


@pytest.fixture
def address(models: tuple[Path, Path], tmp_path: Path, serving: Any) -> Iterator[str]:
    app = create_app(f"sqlite:///{tmp_path / 'ops.db'}", advise=Advising(models))
    tasks = json.loads((models[0].parent / "open.json").read_text("utf-8"))
    tasks["<img src=x onerror=alert(1)>"] = next(iter(tasks.values()))
    with TestClient(app, base_url="http://localhost") as client:
        assert client.post("/api/advice", json=tasks).status_code == 200
    with serving(app) as address:
        yield address


def until(page: Any, script: str) -> None:
    """Wait without eval, which the policy of the pages forbids."""
    end = time.monotonic() + 10.0
    while not page.evaluate(script) and time.monotonic() < end:
        time.sleep(0.02)
    assert page.evaluate(script), script


def test_an_operator_decides_by_clicks(watch: Any, address: str) -> None:
    watched = watch(address)
    page = watched.page
    page.goto(f"{address}/advice")
    assert page.inner_text("h1") == "401 open failures"
    assert page.locator("#rows tr").count() == 100
    page.click("#rows tr:first-child .accept")
    assert "Say who you are" in page.inner_text("#said")
    page.fill("#who", "Op <i>")
    first = page.get_attribute("#rows tr:first-child", "data-task")
    page.click("#rows tr:first-child .accept")
    until(page, "document.querySelectorAll('#rows tr').length === 99")
    assert first in page.inner_text("#said")
    page.click("#rows tr:first-child .later")
    until(page, "document.querySelectorAll('#rows tr').length === 98")
    page.click("#more")
    until(page, "document.querySelectorAll('#rows tr').length === 198")
    page.check("#all")
    page.click("button[data-bulk=accept]")
    until(page, "document.getElementById('said').textContent === '198 decisions kept'")
    assert page.inner_text("h1") == "201 open failures"
    page.goto(f"{address}/advice/models")
    assert "199 of 199" in page.inner_text(".models article:first-child")
    assert "Op <i>" in page.inner_text("main")
    assert watched.complaints == []
    watched.close()
