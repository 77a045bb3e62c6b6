"""The pages in a real browser: plots drawn, a verdict given and seen, nothing fetched from elsewhere, no complaint."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lynkeus.core import Alarm
from lynkeus.monitor.records import Commit, Monitor, Owner, ResumePoint, TracePart
from lynkeus.monitor.run_records import add_runs
from lynkeus.monitor.store import Store
from lynkeus.web.app import create_app

pytestmark = [pytest.mark.slow(4), pytest.mark.browser]


@pytest.fixture
def address(store_url: str, reports: Path, serving: Any) -> Iterator[str]:
    with serving(create_app(store_url, reports=reports)) as address:
        yield address


def test_shifter_opens_an_alarm_and_judges_it(watch: Any, address: str) -> None:
    watched = watch(address)
    page = watched.page
    page.goto(address)
    page.click("a.alarm")
    for plot in ("#sample-plot", "#evidence-plot", "#trend-plot"):
        page.wait_for_selector(f"{plot}[data-drawn] .main-svg path.js-line", state="attached", timeout=10_000)
    assert page.locator("#sample-plot .scatterlayer .trace").count() == 9  # reference, sample; 2 planes, 2 lines; ring
    assert page.inner_text("h1") == "BPME.2351.SA1/x"
    page.fill("input[name=who]", "N. Shifter <i>")
    page.click("text=Acknowledge: I see to it")
    page.wait_for_selector(".history li")
    assert "acknowledged by N. Shifter <i>" in page.inner_text(".history")
    # Remembered in this browser, by a script that runs once the page has been read.
    until = time.monotonic() + 10.0
    while page.input_value("input[name=who]") != "N. Shifter <i>" and time.monotonic() < until:
        time.sleep(0.02)
    assert page.input_value("input[name=who]") == "N. Shifter <i>"
    page.fill("input[name=note]", "cable was loose")
    page.click("button:text('Not real')")
    page.wait_for_selector(".history .said-not-real")
    assert "cable was loose" in page.inner_text(".history")
    page.goto(address)
    assert page.inner_text("tr.is-open td:last-child").strip() == "not real"
    watched.close()


def test_new_alarm_appears_without_reload(watch: Any, address: str, store_url: str) -> None:
    watched = watch(address)
    page = watched.page
    page.goto(address)
    page.focus("tr.is-open a")
    assert page.title() == "(1 open) Lynkeus"
    store, owner = Store(store_url), Owner.here()
    store.claim(Monitor("pads", "Pads", ("anomaly",)), owner)
    now = time.time_ns()
    alarm = Alarm("anomaly", now, now, 9.0, 1e-7, "pad <7>")
    store.commit("pads", owner, Commit(ResumePoint(1, now), opened=((alarm, {}),)))
    page.wait_for_selector("text=pad <7>")
    assert page.title() == "(2 open) Lynkeus"
    assert page.evaluate("document.activeElement.getAttribute('href')") == "/alarms/4"
    assert "less than once a year" in page.inner_text("#live")
    store.close()
    watched.close()


def test_an_alarm_is_acknowledged_on_the_wall(watch: Any, address: str) -> None:
    watched = watch(address)
    page = watched.page
    page.goto(address + "/wall")
    page.click("button[data-alarm='4']")
    assert page.inner_text("#acknowledge h2").startswith("BPME.")
    page.fill("#acknowledge [name=who]", "N. Shifter <i>")
    page.evaluate("document.querySelector('.tile').replaceChildren()")  # as when the server sends all of it anew
    page.click("text=Acknowledge: I see to it")
    page.wait_for_selector(".wall-open .seen")
    assert "acknowledged by N. Shifter <i>" in page.inner_text(".wall-open")
    assert page.locator("button[data-alarm]").count() == 0
    assert not page.evaluate("document.getElementById('acknowledge').open")
    watched.close()


def test_page_falls_back_to_polling_and_says_when_the_server_is_gone(browser: Any, address: str) -> None:
    context = browser.new_context()
    page = context.new_page()
    page.route("**/events*", lambda route: route.abort())
    page.goto(address)
    with page.expect_response("**/fragment*", timeout=8000) as polled:
        pass
    assert polled.value.ok
    page.route("**/fragment*", lambda route: route.abort())
    page.wait_for_selector("#lost:not([hidden])", timeout=15000)
    assert "what it shows is old" in page.inner_text("#lost")
    context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_page_fits_a_phone(watch: Any, address: str, scheme: str) -> None:
    watched = watch(address, viewport={"width": 390, "height": 844}, color_scheme=scheme)
    page = watched.page
    for path, ready in (("/", "#live"), ("/alarms/4", "#trend-plot[data-drawn]"), ("/trend", ".turn-on[data-drawn]")):
        page.goto(address + path)
        page.wait_for_selector(ready)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    shade = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert shade == ("rgb(246, 246, 243)" if scheme == "light" else "rgb(16, 19, 22)")
    watched.close()


def test_plots_follow_the_light(watch: Any, address: str) -> None:
    watched = watch(address, color_scheme="light")
    page = watched.page
    page.goto(address + "/trend")
    page.wait_for_selector(".trend[data-drawn]")
    colour = "getComputedStyle(document.querySelector('.trend .js-line')).stroke"
    before = page.evaluate(colour)
    page.emulate_media(color_scheme="dark")
    until = time.monotonic() + 5.0
    while page.evaluate(colour) == before and time.monotonic() < until:
        time.sleep(0.05)
    assert page.evaluate(colour) != before
    watched.close()


def test_unlike_channels_are_strips_with_their_units(watch: Any, serving: Any, tmp_path: Path) -> None:
    url, now = f"sqlite:///{tmp_path / 'plant.db'}", time.time_ns()
    store, owner = Store(url), Owner.here()
    names, units = ("inlet <K>", "area [SS]", "pump"), ["K", "degC", "mm/s"]
    store.claim(Monitor("plant", "Plant", ("anomaly",), names), owner)
    evidence = {"channels": names, "units": units, "evidence": [1.0, 9.0, 2.0], "deviation": [0.5, 8.0, -1.0]}
    evidence |= {"low": [0.0, 0.0, 0.0], "high": [1.0, 1.0, 1.0], "sample": [0.5, 3.0, 0.2]}
    times = tuple(now + k * 10**9 for k in range(-200, 100))
    part = TracePart("anomaly", now, names, times, np.random.default_rng(1).uniform(size=(300, 3)))
    alarm = Alarm("anomaly", now, now, 9.0, 1e-7, "area [SS]")
    store.commit("plant", owner, Commit(ResumePoint(1, now), opened=((alarm, evidence),), traces=(part,)))
    store.close()
    with serving(create_app(url)) as address:
        watched = watch(address, viewport={"width": 390, "height": 844})
        page = watched.page
        page.goto(f"{address}/alarms/1")
        page.wait_for_selector("#strips[data-drawn] .main-svg path.js-line", state="attached")
        assert page.locator("#strips .scatterlayer .trace").count() == 3
        titles = page.locator("#strips .annotation-text").all_text_contents()
        assert titles == ["area [SS] (degC)", "inlet <K> (K)", "pump (mm/s)"]
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        button = page.locator("button:text('Not real')").bounding_box()
        assert button["y"] + button["height"] < 844  # in sight without scrolling
        watched.close()


def test_a_first_page_of_all_that_a_store_holds(
    watch: Any, serving: Any, store_url: str, filled: Any, tmp_path: Path
) -> None:
    store = Store(store_url)
    add_runs(store, filled.runs(8))
    store.acknowledge(4, "A. Operator")
    store.close()
    with serving(create_app(store_url, scans=(filled.surfaces(tmp_path),))) as address:
        watched = watch(address, viewport={"width": 390, "height": 844})
        page = watched.page
        page.goto(address)
        assert "acknowledged by A. Operator" in page.inner_text("a.alarm")
        assert page.locator(".run-dot").count() == 8
        assert "run 1003" in page.inner_text("section[aria-label='Runs judged by populations']")
        assert "24 scored" in page.inner_text("section[aria-label=Images]")
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        page.click(".run-dot.bad >> nth=0")
        assert page.inner_text("h1") == "run 1003"
        watched.close()
