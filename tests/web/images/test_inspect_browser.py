"""The inspection pages in a real browser: open, zoom, map, label, next; names stay text; 2,000 images stay quick."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pyarrow import parquet

from lynkeus.web.app import create_app

pytestmark = [pytest.mark.slow, pytest.mark.browser]
NAME = "after/area [SS] <i>ä</i> '1'/0001.jpg"
SCALE = "new DOMMatrix(getComputedStyle(document.querySelector('#viewer .stage')).transform).a"


@pytest.fixture
def address(tmp_path: Path, scores: Path, serving: Any) -> Iterator[str]:
    with serving(create_app(f"sqlite:///{tmp_path / 'labels.db'}", scans=[scores])) as address:
        yield address


def wait_until(page: Any, expression: str) -> None:
    """playwright's own wait_for_function evaluates text, which our policy forbids."""
    until = time.monotonic() + 8.0
    while not page.evaluate(expression) and time.monotonic() < until:
        time.sleep(0.02)
    assert page.evaluate(expression), expression


def test_an_expert_finds_the_spot_and_labels_it(watch: Any, address: str) -> None:
    watched = watch(address, viewport={"width": 1440, "height": 900})
    page = watched.page
    page.goto(f"{address}/inspect")
    assert page.inner_text("tbody tr:first-child .where") == "<b>CAV</b> & 7, after"
    page.click("tbody tr:first-child .where a")
    page.wait_for_selector("#score-plot[data-drawn] .point", state="attached")
    assert page.locator(".strip a").count() == 12
    page.click(".strip a.rare")
    page.wait_for_selector("#viewer.loaded")
    assert page.inner_text("h1") == NAME
    wait_until(page, "document.querySelector('#viewer .overlay').naturalWidth === 160")
    page.evaluate("document.querySelector('#opacity').value = 25")
    page.dispatch_event("#opacity", "input")
    assert page.evaluate("getComputedStyle(document.querySelector('#viewer .overlay')).opacity") == "0.25"
    page.fill("[name=who]", "N. Shifter <i>")
    page.fill("[name=class_name]", "pit")
    page.press("[name=class_name]", "Enter")  # gives no label
    page.click("button[value=defect]")
    page.wait_for_selector(".history li")
    assert page.inner_text(".history li").startswith("defect pit N. Shifter <i>")
    assert page.locator(".history li").count() == 1
    wait_until(page, "document.querySelector('[name=who]').value === 'N. Shifter <i>'")
    wait_until(page, "document.querySelector('#opacity').value === '25'")
    page.locator("h1").click()
    page.keyboard.press("ArrowRight")
    page.wait_for_url("**/inspect/images/14")
    page.keyboard.press("u")
    page.wait_for_selector(".history .is-unsure")
    watched.close()


def test_zoom_keeps_the_place_in_both_scans(watch: Any, address: str) -> None:
    watched = watch(address, viewport={"width": 1440, "height": 900})
    page = watched.page
    page.goto(f"{address}/inspect/images/13")
    page.wait_for_selector("#earlier.loaded")
    fitted = page.evaluate(SCALE)
    assert fitted == pytest.approx(page.evaluate("document.querySelector('#viewer').clientWidth / 160"), abs=0.02)
    ring = page.locator("#viewer .spots circle").first
    centre = [float(ring.get_attribute(name)) for name in ("cx", "cy")]
    box = page.locator("#viewer").bounding_box()
    page.mouse.move(box["x"] + centre[0], box["y"] + centre[1])
    page.mouse.wheel(0, -400)
    wait_until(page, f"{SCALE} > 2 * {fitted}")
    assert [float(ring.get_attribute(name)) for name in ("cx", "cy")] == pytest.approx(centre, abs=2.0)
    assert page.inner_text("#cursor") in ("x 40, y 30", "x 39, y 30", "x 40, y 29", "x 39, y 29")
    transform = "getComputedStyle(document.querySelector('%s .stage')).transform"
    assert page.evaluate(transform % "#viewer") == page.evaluate(transform % "#earlier")
    page.mouse.down()
    page.mouse.move(box["x"] + centre[0] + 50, box["y"] + centre[1] + 20)
    page.mouse.up()
    assert float(ring.get_attribute("cx")) == pytest.approx(centre[0] + 50, abs=2.0)
    page.click("button.spot >> nth=0")
    assert float(ring.get_attribute("cx")) == pytest.approx(box["width"] / 2, abs=1.0)
    page.keyboard.press("0")
    assert page.evaluate(SCALE) == pytest.approx(fitted)
    page.uncheck("#beside")
    assert not page.is_visible("#earlier")
    wait_until(page, f"{SCALE} > {fitted}")  # fits the wider pane
    watched.close()


def test_strip_and_filters_by_keyboard(watch: Any, address: str) -> None:
    watched = watch(address)
    page = watched.page
    page.goto(f"{address}/inspect/scans/0")
    page.wait_for_selector("#score-plot[data-drawn]")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    assert page.evaluate("document.activeElement.id") == "image-13"
    page.keyboard.press("Enter")
    page.wait_for_url("**/inspect/images/13")
    page.click(".kicker a >> nth=1")
    page.wait_for_selector("#image-13:focus")
    page.check("[value=anomalous]")
    page.wait_for_url("**only=anomalous*")
    assert page.locator(".strip a").count() == 1
    page.wait_for_selector("#score-plot[data-drawn]")
    box = page.locator("#score-plot .point").bounding_box()
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.wait_for_url("**/inspect/images/13?only=anomalous")
    watched.close()


def test_latent_map_shows_the_image_pointed_at(watch: Any, address: str) -> None:
    watched = watch(address)
    page = watched.page
    page.goto(f"{address}/inspect/latent")
    page.wait_for_selector("#latent-plot[data-drawn]")
    page.select_option("[name=colour]", "cell")
    wait_until(page, "document.querySelectorAll('#latent-plot .legendtext').length === 2")
    box = page.locator("#latent-plot .point").nth(3).bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.wait_for_selector("#hovered:not([hidden])")
    assert "area [SS] <i>ä</i>" in page.inner_text("#hovered figcaption")
    wait_until(page, "document.querySelector('#hovered img').naturalWidth > 0")
    page.mouse.down()
    page.mouse.up()
    page.wait_for_url("**/inspect/images/*")
    watched.close()


def test_from_the_list_of_spots_to_the_spot_and_its_good_patches(watch: Any, address: str) -> None:
    watched = watch(address, viewport={"width": 1440, "height": 900})
    page = watched.page
    page.goto(f"{address}/inspect/scans/0")
    page.click("text=Its spots, the highest first")
    wait_until(page, "document.querySelector('.picture img')?.naturalWidth === 64")
    assert page.locator(".picture").count() == 24
    assert page.inner_text("tbody tr:first-child .where a") == NAME
    page.click("tbody tr:first-child .picture")
    page.wait_for_url("**/inspect/images/13#spot-1")
    page.wait_for_selector("button.spot[aria-pressed=true] >> text=1")
    assert page.evaluate(SCALE) > 1.5
    assert page.evaluate("scrollY") == 0
    pictures = "[...document.querySelectorAll('.patches img')]"
    wait_until(page, f"{pictures}.length === 4 && {pictures}.every((img) => img.naturalWidth === 64)")
    assert page.inner_text(".absent") == "[a]/<i>gone &.png at x 9, y 20"
    page.hover(".patches img >> nth=1")
    box = page.locator(".patches img >> nth=1").bounding_box()
    assert 150 < box["width"] < 230
    assert box["x"] + box["width"] < 1440
    watched.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_inspection_fits_a_phone(watch: Any, address: str, scheme: str) -> None:
    watched = watch(address, viewport={"width": 390, "height": 844}, color_scheme=scheme)
    page = watched.page
    for path in ("/inspect", "/inspect/scans/0", "/inspect/scans/0/spots", "/inspect/images/13", "/inspect/latent"):
        page.goto(address + path)
        page.wait_for_selector("h1")
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
        page.wait_for_load_state("networkidle")
    watched.close()


def test_two_thousand_images_stay_quick(
    watch: Any, tmp_path: Path, serving: Any, surfaces: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "many"
    folder.mkdir()
    scores = surfaces(folder, cells=1, angles=2000, size=(48, 40))
    table = parquet.read_table(scores).slice(0, 2000)
    parquet.write_table(table, scores)
    with serving(create_app(f"sqlite:///{tmp_path / 'labels.db'}", scans=[scores])) as address:
        watched = watch(address)
        for path, ready in (
            ("/inspect", ".picture img"),
            ("/inspect/scans/0", ".strip img"),
            ("/inspect/scans/0/spots", ".picture img"),
            ("/inspect/images/1", "#viewer .full"),
        ):
            start = time.perf_counter()
            watched.page.goto(address + path, wait_until="commit")
            wait_until(watched.page, f"document.querySelector('{ready}')?.naturalWidth > 0")
            with capsys.disabled():
                print(f"\n{path}: first picture after {time.perf_counter() - start:.2f} s", end="")
        watched.page.goto(f"{address}/inspect/scans/0")
        watched.page.wait_for_selector("#score-plot[data-drawn]")
        loaded = "[...document.querySelectorAll('.strip img')].filter((img) => img.naturalWidth).length"
        assert watched.page.locator(".strip a").count() == 2000
        assert watched.page.evaluate(loaded) < 200  # the others wait until they are scrolled to
        watched.close()
