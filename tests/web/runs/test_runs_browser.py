"""The pages of runs in a real browser: from list to plot, override, names that walk up; the file without a net."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lynkeus.core import RunRecord
from lynkeus.monitor import run_records as stored_runs
from lynkeus.monitor.store import Store
from lynkeus.web.app import create_app
from lynkeus.web.runs.report import render_run

pytestmark = [pytest.mark.slow, pytest.mark.browser]
WALKS_UP = ("..", "%2e%2e", "a/../../b")


@pytest.fixture
def address(tmp_path: Path, run_records: Callable[..., list[RunRecord]], serving: Any) -> Iterator[str]:
    url = f"sqlite:///{tmp_path / 'runs.db'}"
    store = Store(url)
    records = run_records(10)
    stored_runs.add_runs(store, [*records, *(replace(records[0], run=name, start_ns=0) for name in WALKS_UP)])
    store.close()
    with serving(create_app(url)) as address:
        yield address


def test_a_shifter_finds_out_why_and_overrides(watch: Any, address: str) -> None:
    watched = watch(address, viewport={"width": 1366, "height": 850})
    page = watched.page
    page.goto(f"{address}/runs")
    page.select_option("[name=verdict]", "flagged")  # acts at once
    page.wait_for_url("**/runs?*verdict=flagged*")
    assert page.locator(".run-list tbody tr").count() == 2
    page.click(".run-list >> text=run 1003")
    page.wait_for_selector("text=shifted by +30 %")
    shown = page.locator(".small").filter(visible=True)
    assert shown.count() == 3
    page.uncheck(".only-flagged")
    assert shown.count() == 21
    page.check("[name=verdict][value=good]")
    page.fill("[name=who]", "N. Shifter <i>")
    page.fill("[name=reason]", "the field was changed")
    page.click("text=Override the verdict")
    page.wait_for_selector("#overrides .history li")
    assert "N. Shifter <i>" in page.inner_text("#overrides .history")
    assert page.inner_text(".headline .lead").startswith("GOOD says N. Shifter <i>")
    page.click(".small.flagged p a >> nth=0")
    page.wait_for_selector(".curve svg")
    page.click(".curve svg a >> nth=0")
    page.wait_for_url("**run=..*")
    watched.close()


def test_the_strip_of_colours_opens_the_plot_under_the_pointer(watch: Any, address: str) -> None:
    watched = watch(address, viewport={"width": 1366, "height": 850})
    page = watched.page
    page.goto(f"{address}/runs")
    strip = page.locator("img.colours").nth(2)  # after the verdicts and S1
    box = strip.bounding_box()
    place = {"x": box["width"] * (3 + 3 + 0.5) / 13, "y": box["height"] * 0.05}  # three old runs lie before
    strip.hover(position=place)
    assert page.inner_text("#under-pointer") == "S2 area in run 1003"
    strip.click(position=place)
    page.wait_for_selector(".large svg")
    assert page.inner_text("h1") == "S2 area"
    assert "run 1003" in page.inner_text(".large h2")
    watched.close()


@pytest.mark.parametrize("name", WALKS_UP)
def test_names_that_walk_up_are_pages(watch: Any, address: str, name: str) -> None:
    watched = watch(address)
    page = watched.page
    page.goto(f"{address}/runs")
    page.get_by_role("link", name=name, exact=True).click()
    page.wait_for_selector(".headline h1")
    assert page.inner_text("h1") == name
    watched.close()


def test_a_phone_needs_no_sideways_scrolling(watch: Any, address: str) -> None:
    watched = watch(address, viewport={"width": 360, "height": 740})
    page = watched.page
    for path in ("/runs", "/runs/run%201003", "/runs/compare?a=run+1003&b=run+1004", "/runs/plot?name=S2+area"):
        page.goto(address + path)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
    watched.close()


def test_the_file_opens_without_a_server(
    watch: Any, tmp_path: Path, run_records: Callable[..., list[RunRecord]]
) -> None:
    file = tmp_path / "run.html"
    render_run(run_records(4)[3], file)
    watched = watch(file.as_uri(), java_script_enabled=False)
    page = watched.page
    page.goto(file.as_uri())
    shown = page.locator(".small").filter(visible=True)
    assert shown.count() == 3
    page.uncheck(".only-flagged")
    assert shown.count() == 21
    assert page.locator(".small svg").first.bounding_box()["height"] > 100
    watched.close()
