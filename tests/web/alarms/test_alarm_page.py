"""The page that somebody acts on: unlike channels with their units, words, what to do, and who sees to it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from html import unescape
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient

from lynkeus.core import Alarm
from lynkeus.monitor.records import AlarmFile, Commit, Monitor, Owner, ResumePoint, StoredAlarm, TracePart
from lynkeus.monitor.store import Store
from lynkeus.web.alarms import words
from lynkeus.web.app import create_app
from lynkeus.web.site import Words

CHANNELS = ("inlet <K>", "area [SS]", "pump 1", "pump 2", *(f"gauge {k}" for k in range(26)))
UNITS = ("K", "degC", "mm/s", "mm/s", *("mbar",) * 26)
HOUR_NS = 3_600_000_000_000
AT_NS = 1_780_000_000_000_000_000
FORM = {"verdict": "real", "who": "A. Operator"}


def evidence(named: int = 1, deviation: float = 9.1) -> dict[str, Any]:
    strength = np.full(30, 0.2)
    strength[named] = 8.0
    off = np.full(30, 0.3)
    off[named] = deviation
    rates = [1e-1, 1e-3, 1e-6]
    return {
        "channels": CHANNELS, "units": UNITS, "sample": np.arange(30.0), "reference": np.arange(30.0) + 0.1,
        "low": np.arange(30.0) - 1, "high": np.arange(30.0) + 1, "deviation": off, "evidence": strength,
        "text": f"{CHANNELS[named]} speaks most for it; good data does this once in 43 h.",
        "intervals": {"rate": rates, "low": [rate / 5 for rate in rates], "high": [rate * 5 for rate in rates]},
    }  # fmt: skip


@pytest.fixture
def thermometers(tmp_path: Path) -> Iterator[TestClient]:
    """A store of 30 unlike channels: two alarms of one of them, the later one with its channels over time."""
    url = f"sqlite:///{tmp_path / 'watch.db'}"
    store, owner = Store(url), Owner.here()
    lineage = {
        "scorer": "table", "data": [{"path": "/data/good.h5", "bytes": 5, "sha256": "abc"}], "samples": 10_800,
        "reference_hours": 3.0, "channels": 30, "set_aside": {"spare <b>": "constant"}, "version": "0.1.0",
        "excluded": {"anomaly": {"incidents": 2, "seconds": 35.0}}, "fitted_at": "2026-05-30T06:00:00+00:00",
    }  # fmt: skip
    titles = {"anomaly": "anything unusual"}
    monitor = Monitor("plant", "Cold box & pumps", ("anomaly",), CHANNELS, (), "", 1.0, lineage, titles, "phone 4711")
    store.claim(monitor, owner)
    first = Alarm("anomaly", AT_NS - HOUR_NS, AT_NS - HOUR_NS, 5.0, 1 / 43, CHANNELS[1])
    second = Alarm("anomaly", AT_NS, AT_NS, 9.0, 1e-5, CHANNELS[1])
    times = tuple(AT_NS + k * 1_000_000_000 for k in range(-300, 300))
    values = np.random.default_rng(1).normal(size=(600, 2))
    traces = (TracePart("anomaly", AT_NS, (CHANNELS[2], CHANNELS[1]), times, values),)
    opened = ((first, evidence()), (second, evidence()))
    closed = (replace(first, end_ns=AT_NS - HOUR_NS + 30 * 10**9), replace(second, end_ns=AT_NS + 30 * 10**9))
    store.commit("plant", owner, Commit(ResumePoint(1, AT_NS), (), opened, (), closed, 600, traces=traces))
    store.add_verdict(1, "not real", "N. Shifter")
    store.release("plant", owner, finished=True)
    store.close()
    app = create_app(url, words=Words("the cryo group, 1234", {}))
    with TestClient(app, base_url="http://localhost", follow_redirects=False) as client:
        yield client
    app.state.site.store.close()


def text_of(html: str) -> str:
    return unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html.split("<main", 1)[1])))


@pytest.mark.parametrize("path", ["/", "/alarms/2", "/trend", "/runs", "/standing", "/login"])
def test_no_page_of_thermometers_speaks_of_beams(thermometers: TestClient, path: str) -> None:
    answer = thermometers.get(path)
    assert answer.status_code == 200
    assert not re.search(r"\b(monitors?|beams?|orbits?)\b", text_of(answer.text), re.IGNORECASE)
    labels = " ".join(re.findall(r'(?:aria-label|title|placeholder|alt)="([^"]*)"', answer.text))
    assert not re.search(r"\b(monitors?|beams?|orbits?)\b", labels, re.IGNORECASE)


def test_each_channel_has_its_name_unit_and_deviation(thermometers: TestClient) -> None:
    html = thermometers.get("/alarms/2").text
    text = text_of(html)
    assert "anything unusual, alarm 2" in text
    first = text_of("<main" + html.split('class="channels"')[1].split("</tr>")[1])
    assert "area [SS]" in first
    assert "1 degC" in first
    assert "0 to 2 degC" in first
    assert "+9.1 σ" in first
    assert text.count(" σ") == 30
    assert "The other 18 channels" in text
    assert 'id="sample-plot"' not in html  # kelvins and millibars share no axis
    assert "inlet &lt;K&gt;" in html


def test_it_says_what_to_do_and_who_sees_to_it(thermometers: TestClient) -> None:
    html = thermometers.get("/alarms/2").text
    text = text_of(html)
    assert "Only area [SS] is out of what is usual for it" in text
    assert "Call: the cryo group, 1234" in text  # the site's words win over those of the watch
    assert html.index('id="verdicts"') < html.index("What to do") < html.index('id="strips"')
    assert "area [SS] had 1 alarm before this one: 1 not real." in text
    assert "2026" in text.split("Alarms like it")[1]
    answer = thermometers.post("/alarms/2/acknowledge", data={"who": "A. <i>Operator"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/alarms/2#verdicts")
    assert "acknowledged by A. &lt;i&gt;Operator" in thermometers.get("/alarms/2").text
    assert "acknowledged by A. &lt;i&gt;Operator" in thermometers.get("/").text
    assert thermometers.get("/api/v1/alarms/2").json()["seen_by"] == "A. <i>Operator"
    assert thermometers.get("/api/v1/alarms/2").json()["verdict"] is None  # to have seen it is no verdict
    thermometers.post("/alarms/2/verdicts", data=FORM)
    assert "real says A. Operator" in text_of(thermometers.get("/alarms/2").text)
    assert thermometers.post("/alarms/9/acknowledge", data={"who": "me"}).status_code == 404
    assert thermometers.post("/alarms/2/acknowledge", data={"who": " "}).status_code == 422


def test_rarity_is_said_once(thermometers: TestClient) -> None:
    text = text_of(thermometers.get("/alarms/2").text)
    assert "43 h" not in text  # that was when the alarm opened, not at its peak
    assert len(re.findall("good data does this", text, re.IGNORECASE)) == 1
    assert "Good data does this less than once a year" in text
    assert "is too short to have seen this" in text


def test_the_interval_is_that_of_the_peak() -> None:
    def file_of(rate: float, given: dict[str, Any]) -> AlarmFile:
        return AlarmFile(StoredAlarm(1, "m", Alarm("o", 1, 1, 1.0, rate)), Monitor("m"), given, ())

    table = evidence()["intervals"]
    low, high = words.interval(file_of(1e-2, {"intervals": table})) or (0.0, 0.0)
    assert low == pytest.approx(2e-3)
    assert high == pytest.approx(5e-2)
    assert words.interval(file_of(0.1, {"interval": [0.01, 0.5]})) == (0.01, 0.5)
    assert words.interval(file_of(1e-5, {"interval": [0.01, 0.5]})) is None  # was that of another score
    for broken in ({"interval": [0.1, None]}, {"intervals": "no"}, {"intervals": {"rate": [1.0], "low": []}}, {}):
        assert words.interval(file_of(0.1, broken)) is None


def test_lineage_is_told_in_words_with_the_record_behind(thermometers: TestClient) -> None:
    html = thermometers.get("/alarms/2").text
    text = text_of(html)
    assert "Scored by table, which learned from good.h5 (3 h of good data, 10 800 samples" in text
    assert "2 incidents of that (35 s in all) were left out as odd." in text
    assert "spare <b> (constant)" in text
    assert "Fitted on 2026-05-30 06:00:00 UTC by Lynkeus 0.1.0." in text
    record = html.split("The whole record")[1]
    assert "sha256 abc" in record
    assert words.lineage_words({"data": 3, "excluded": [], "set_aside": "x", "reference_hours": "many"}) == []


def test_channels_over_time_come_with_band_and_unit(thermometers: TestClient) -> None:
    strips = thermometers.get("/api/v1/alarms/2/plot").json()["strips"]
    assert [(strip["name"], strip["unit"]) for strip in strips] == [("area [SS]", "degC"), ("pump 1", "mm/s")]
    assert (strips[0]["low"], strips[0]["high"]) == (0.0, 2.0)
    assert len(strips[0]["time_ms"]) == len(strips[0]["value"]) == 600
    assert thermometers.get("/api/v1/alarms/1/plot").json()["strips"] == []


@pytest.mark.parametrize(
    ("off", "where", "says"),
    [
        ({"a": 9.0, "b": 1.0}, "a", "Only a is out"),
        ({"a": 9.0, "b": -8.0, "c": 5.0}, "a", "3 of 3 channels are out"),
        ({"a": 1.0, "b": 1.0}, "a", "No channel is out of what is usual for it alone: look at the noise of a"),
        ({"a": 1.0, "b": 9.0}, "a", "b is out of what is usual for it: look at its sensor"),
        ({"a": None}, "a", "Look at a."),
        ({}, "", "Look at the channels"),
    ],
)
def test_what_to_check_follows_from_what_is_out(off: dict[str, float | None], where: str, says: str) -> None:
    rows = [{"channel": name, "deviation": size} for name, size in off.items()]
    assert words.check(rows, where).startswith(says)


@pytest.mark.parametrize(
    ("evidence", "says"),
    [
        ({"a": 90.0, "b": 3.0, "c": 2.0, "d": 1.0}, "a alone speaks for it (94\N{NO-BREAK SPACE}% of the evidence)"),
        ({"a": 9.0, "b": -8.0, "c": 5.0, "d": 0.1}, "3 of 4 channels speak for it (a, b, c)"),
        ({"a": 9.0, "b": 1.5, "c": 4.0, "d": 1.0}, "2 of 4 channels are out"),
    ],
)
def test_on_a_machine_that_was_moved_the_evidence_says_what_to_check(evidence: dict[str, float], says: str) -> None:
    moved = {"a": 1.0, "b": 1.0, "c": 9.0, "d": 7.0}  # where they stand since then
    rows = [{"channel": name, "deviation": moved[name], "evidence": size} for name, size in evidence.items()]
    assert words.check(rows, "a").startswith(says)
    calm = [row | {"deviation": 1.0} for row in rows]
    assert ("a alone" in words.check(calm, "a")) == ("a alone" in says)


def test_without_a_model_nothing_is_made_up() -> None:
    file = AlarmFile(StoredAlarm(1, "m", Alarm("o", 1, 1, 1.0, 0.1)), Monitor("m"), {"extrapolated": True}, ())
    assert words.beyond(file) == "The reference is too short to have seen this: the rate is extrapolated."
    assert words.beyond(replace(file, evidence={})) == ""
    assert replace(file, evidence={"text": "x is stuck; good data never does this."}).said == "x is stuck."
