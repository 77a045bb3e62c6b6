"""The page of what stands, and its forms."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient

from lynkeus.core import Alarm, Standing
from lynkeus.monitor.records import Commit, Monitor, Owner, ResumePoint
from lynkeus.monitor.standing import Maintenance, add_maintenance, changes, list_standing, maintenance_of
from lynkeus.monitor.store import Store
from lynkeus.web.app import create_app

STANDS = Standing("monitor", "A.1/x", "standing", 10**18, says="A.1/x stands off by +0.003 mm")


@pytest.fixture
def filled(store_url: str) -> Iterator[tuple[TestClient, Store]]:
    store = Store(store_url)
    owner, pulse = Owner.here(), store.monitors()[0]
    store.claim(pulse.monitor, owner)
    rows = changes([], [STANDS], 10**18)
    store.commit(pulse.monitor.name, owner, Commit(ResumePoint(36001, pulse.last_end_ns or 0), standing=tuple(rows)))
    with TestClient(create_app(store_url), base_url="http://localhost") as client:
        yield client, store
    store.close()


def named(store: Store) -> tuple[str, tuple[str, ...]]:
    """The monitor of the filled store, and its channels."""
    monitor = store.monitors()[0].monitor
    return monitor.name, monitor.channels


def test_what_stands_is_on_its_page_and_on_the_first(filled: tuple[TestClient, Store]) -> None:
    client, _ = filled
    for path in ("/", "/standing"):
        answer = client.get(path)
        assert answer.status_code == 200
        assert STANDS.says in answer.text
        assert not re.search(r"<script(?![^>]*src=)|<style|\sstyle=|\son\w+=", answer.text)


def test_somebody_acknowledges_it(filled: tuple[TestClient, Store]) -> None:
    client, store = filled
    name, _ = named(store)
    (row,) = list_standing(store, name)
    answer = client.post(f"/standing/{row.id}/acknowledged", data={"who": "me"}, follow_redirects=False)
    assert answer.status_code == 303
    assert not list_standing(store, name)
    assert "Nothing stands" in client.get("/standing").text


def test_channels_are_masked_and_taken_back(filled: tuple[TestClient, Store]) -> None:
    client, store = filled
    name, channels = named(store)
    form = {"monitor": name, "channels": channels[5], "reason": "a new cable", "who": "me", "hours": "2"}
    assert client.post("/maintenance", data=form, follow_redirects=False).status_code == 303
    assert "a new cable" in client.get("/standing").text
    end_ns = store.monitors()[0].last_end_ns or 0
    (one,) = maintenance_of(store, name, end_ns)
    assert (one.channel, one.until_ns) == (channels[5], end_ns + 2 * 3600 * 10**9)
    back = {"monitor": name, "channel": channels[5], "who": "me"}
    assert client.post("/maintenance/over", data=back, follow_redirects=False).status_code == 303
    assert not maintenance_of(store, name, end_ns + 1)


@pytest.mark.parametrize(
    ("changed", "code"),
    [({"channels": "nothing"}, 422), ({"reason": " "}, 422), ({"monitor": "nobody"}, 404), ({"hours": "-1"}, 422)],
)
def test_forms_that_make_no_sense_are_refused(
    filled: tuple[TestClient, Store], changed: dict[str, str], code: int
) -> None:
    client, store = filled
    name, channels = named(store)
    form = {"monitor": name, "channels": channels[5], "reason": "cable", "who": "me", "hours": "2"} | changed
    assert client.post("/maintenance", data=form, follow_redirects=False).status_code == code
    assert not maintenance_of(store, name)


def test_without_the_token_nothing_is_written(store_url: str) -> None:
    store = Store(store_url)
    name, channels = named(store)
    add_maintenance(store, [Maintenance(name, channels[1], 0, "cable", "me")])
    with TestClient(create_app(store_url, token="a long token"), base_url="http://localhost") as client:
        for path, form in (
            ("/maintenance", {"monitor": name, "channels": channels[5], "reason": "cable", "who": "me"}),
            ("/maintenance/over", {"monitor": name, "channel": channels[1], "who": "me"}),
            ("/standing/1/acknowledged", {"who": "me"}),
        ):
            assert client.post(path, data=form, follow_redirects=False).status_code == 401
        assert "Sign in" in client.get("/standing").text
    assert [one.channel for one in maintenance_of(store, name, 1)] == [channels[1]]
    store.close()


def test_an_alarm_is_masked_from_its_page(filled: tuple[TestClient, Store]) -> None:
    client, store = filled
    (stored,) = store.alarms(status="open")
    path, where = f"/alarms/{stored.id}", stored.alarm.where
    assert f"Mask {where} until it is done" in client.get(path).text
    form = {"monitor": stored.monitor, "channels": where, "reason": "a <b>new</b> cable", "who": "me", "hours": "0"}
    answer = client.post("/maintenance", data=form | {"alarm": str(stored.id)}, follow_redirects=False)
    assert answer.headers["location"] == path
    html = client.get(path).text
    assert "Masked until further notice because a &lt;b&gt;new&lt;/b&gt; cable" in html
    assert "until it is done" not in html


def test_a_watch_that_cannot_mask_does_not_offer_it(store_url: str) -> None:
    store, owner = Store(store_url), Owner.here()
    names = ("area [SS]", "pump, hot side")
    store.claim(Monitor("plant", "Plant", ("anomaly",), names), owner)
    alarm = Alarm("anomaly", 10**18, 10**18, 9.0, 0.01, "area [SS]")
    store.commit("plant", owner, Commit(ResumePoint(1, 10**18), opened=((alarm, {}),)))
    (stored,) = store.alarms("plant")
    form = {"monitor": "plant", "channels": "area [SS]", "reason": "cable", "who": "me"}
    with TestClient(create_app(store_url), base_url="http://localhost") as client:
        assert "until it is done" not in client.get(f"/alarms/{stored.id}").text
        answer = client.post("/maintenance", data=form)
        assert (answer.status_code, "cannot leave channels out" in answer.text) == (422, True)
        store.claim(Monitor("plant", "Plant", ("anomaly",), names, masks=True), owner)
        for name in names:  # brackets, spaces and commas are part of a name
            answer = client.post("/maintenance", data=form | {"channels": name}, follow_redirects=False)
            assert answer.status_code == 303
    assert [one.channel for one in maintenance_of(store, "plant")] == list(names)
    store.close()
