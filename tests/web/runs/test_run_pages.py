"""The pages of runs through FastAPI's own client: names stay text, filters, overrides and their token, the file."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

import pytest
from fastapi.testclient import TestClient

from lynkeus.core import RunRecord, SourceError
from lynkeus.monitor import run_records as stored_runs
from lynkeus.monitor.opinions import Opinion
from lynkeus.monitor.store import Store
from lynkeus.web.app import create_app
from lynkeus.web.runs.report import render_run
from lynkeus.web.runs.words import run_address

HOSTILE = """S2 </title><script>alert("1")</script>'&/../% [MS]"""
HOSTILE_RUN = f"{HOSTILE}/run"
TOKEN = "a-token-of-some-length"
SAME_SITE = {"Origin": "http://localhost"}
FORM = {"model": "populations", "run": "run 1003", "number": "4", "verdict": "good", "who": "N. Shifter"}
FORM |= {"reason": "field <b>changed</b>"}
INLINE = r"<script(?![^>]*src=)|<style|\sstyle=|\son\w+=|javascript:"
MARKUP = r"<script>alert|<i>moved|<b>lines|<b>\[SS\]|<b>changed"


def client_of(tmp_path: Path, records: list[RunRecord], token: str | None = None) -> TestClient:
    url = f"sqlite:///{tmp_path / 'runs.db'}"
    store = Store(url)
    stored_runs.add_runs(store, records)
    store.close()
    return TestClient(create_app(url, token), base_url="http://localhost", follow_redirects=False)


@pytest.fixture
def runs(tmp_path: Path, run_records: Callable[..., list[RunRecord]]) -> Iterator[TestClient]:
    with client_of(tmp_path, run_records()) as client:
        yield client
        client.app.state.site.store.close()  # type: ignore[attr-defined]


PAGES = (
    "/runs",
    "/runs?verdict=flagged&change=shifted&group=S2&search=run&span=all&page=1",
    "/runs?search=" + quote(HOSTILE, safe=""),
    "/runs/run%201003",
    "/runs/run%201004?model=populations",
    "/runs/" + quote(HOSTILE_RUN, safe=""),
    "/runs/compare?a=run+1003&b=" + quote(HOSTILE_RUN, safe=""),
    "/runs/compare?a=run+1003",
    "/runs/compare?a=run+1003&b=" + quote(f"no {HOSTILE}", safe=""),
    "/runs/plot?name=S2+area&run=run+1003",
    "/runs/plot?span=all&name=" + quote(HOSTILE, safe=""),
)


@pytest.mark.parametrize("path", PAGES)
def test_pages_are_strict_and_escape_every_name(runs: TestClient, path: str) -> None:
    answer = runs.get(path)
    assert answer.status_code == 200
    assert "unsafe" not in answer.headers["content-security-policy"]
    assert not re.search(INLINE, answer.text)
    assert not re.search(MARKUP, answer.text)
    assert not re.search(r"""(?:src|href|action)=["'](?:https?:)?//""", answer.text)
    assert '<a href="/runs" aria-current="page">Runs</a>' in answer.text


def test_the_list_says_what_changed_and_links_every_name(runs: TestClient) -> None:
    text = runs.get("/runs").text
    assert "S2: shifted by +30 %" in text
    assert "S2 &lt;b&gt;lines&lt;/b&gt;: new: about 48 events" in text
    assert "1 event is not enough" in text
    assert "2026-09-21 17:13:20 UTC" in text
    links = [html.unescape(link) for link in re.findall(r'href="(/runs/[^"]*)"', text)]
    assert run_address(HOSTILE_RUN, "populations") in links
    for link in set(links):
        assert runs.get(link).status_code == 200
    shown = [html.unescape(name) for name in re.findall(r'class="where"><a [^>]*>(.*?)</a>', text)]
    assert len(shown) == 12
    assert HOSTILE_RUN in shown


def test_filters_and_pages(runs: TestClient) -> None:
    def listed(query: str) -> list[str]:
        found = re.findall(r'class="where"><a [^>]*>(.*?)</a>', runs.get(f"/runs?{query}").text)
        return [html.unescape(name) for name in found]

    assert listed("verdict=flagged") == [HOSTILE_RUN, "run 1003"]
    assert listed("change=new") == [HOSTILE_RUN]
    assert listed("group=S2&search=1003") == ["run 1003"]
    assert listed("group=S1") == []
    assert "No run of this kind" in runs.get("/runs?group=S1").text
    assert "There are only 12 runs" in runs.get("/runs?page=7").text
    assert runs.get("/runs?page=0").status_code == 422
    assert runs.get("/runs?model=unknown").status_code == 200


def test_a_run_shows_why_with_its_plots(runs: TestClient) -> None:
    text = runs.get("/runs/run%201003").text
    assert "1 good run in 100\N{NARROW NO-BREAK SPACE}000 looks as bad" in text
    assert "around 10 000 phd" in text
    assert text.count("<svg") == 21
    assert text.count('class="region"') == 4  # of a map twice
    assert '<input type="checkbox" class="only-flagged" autocomplete="off" checked>' in text
    assert html.escape(HOSTILE, quote=False) in text.replace("&#34;", '"').replace("&#39;", "'")
    assert "checked> only flagged" not in runs.get("/runs/run%201004").text
    links = {html.unescape(link) for link in re.findall(r'href="(/runs/plot[^"]*)"', text)}
    assert len(links) == 21
    assert all(runs.get(link).status_code == 200 for link in links)


@pytest.mark.parametrize("name", [".", "..", "compare", "plot", "file", "named", "a/b", "100%", "a?b#c", "ä\\"])
def test_any_name_of_a_run_can_be_reached(
    tmp_path: Path, run_records: Callable[..., list[RunRecord]], name: str
) -> None:
    with client_of(tmp_path, [replace(run_records(1)[0], run=name)]) as client:
        (link,) = re.findall(r'class="where"><a href="([^"]*)"', client.get("/runs").text)
        text = client.get(html.unescape(link)).text
        assert f"<h1>{html.escape(name)}</h1>" in text
        client.app.state.site.store.close()  # type: ignore[attr-defined]


@pytest.mark.parametrize("path", ["/runs/nothing", "/runs/..%2F..%2Fetc%2Fpasswd", "/runs/run%201003?model=other"])
def test_unknown_runs_are_a_page_in_words(runs: TestClient, path: str) -> None:
    answer = runs.get(path)
    assert answer.status_code == 404
    assert "the store has no run" in answer.text
    assert runs.get("/runs/plot?name=nothing").status_code == 404
    assert "no run of model" in runs.get("/runs/plot?name=nothing").text
    assert "There is no run nothing" in runs.get("/runs/compare?a=run+1003&b=nothing").text


def test_an_empty_store(tmp_path: Path) -> None:
    with client_of(tmp_path, []) as client:
        assert "No run has been judged yet" in client.get("/runs").text
        assert "/runs" not in client.get("/").text
        assert client.get("/runs/compare").status_code == 200
        assert client.get("/runs/plot?name=x").status_code == 404
        client.app.state.site.store.close()  # type: ignore[attr-defined]


def test_runs_without_plots(tmp_path: Path, run_records: Callable[..., list[RunRecord]]) -> None:
    with client_of(tmp_path, [replace(record, plots=()) for record in run_records(4)]) as client:
        for path in ("/runs", "/runs/run%201003", "/runs/compare?a=run+1000&b=run+1001", "/runs/file?run=run+1003"):
            assert client.get(path).status_code == 200
        client.app.state.site.store.close()  # type: ignore[attr-defined]


def test_an_override_is_kept_with_its_reason(runs: TestClient) -> None:
    answer = runs.post("/runs/override", data=FORM, headers=SAME_SITE)
    assert (answer.status_code, answer.headers["location"]) == (303, "/runs/run%201003?model=populations#overrides")
    runs.post("/runs/override", data=FORM | {"verdict": "warn", "reason": "on second thought"}, headers=SAME_SITE)
    text = runs.get("/runs/run%201003").text
    assert text.index("on second thought") < text.index("field &lt;b&gt;changed&lt;/b&gt;")
    assert re.search(r"WARN</span> says N. Shifter", text)
    assert "by N. Shifter, was BAD" in runs.get("/runs").text
    hostile = FORM | {"run": HOSTILE_RUN, "number": "7"}
    answer = runs.post("/runs/override", data=hostile, headers=SAME_SITE)
    assert answer.headers["location"] == run_address(HOSTILE_RUN, "populations") + "#overrides"


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"reason": " "}, 422),
        ({"who": ""}, 422),
        ({"verdict": "fine"}, 422),
        ({"reason": "x" * 2001}, 422),
        ({"number": "5"}, 404),
        ({"run": "nothing"}, 404),
    ],
)
def test_overrides_that_are_refused(runs: TestClient, change: dict[str, str], status: int) -> None:
    assert runs.post("/runs/override", data=FORM | change, headers=SAME_SITE).status_code == status
    assert "What was said" not in runs.get("/runs/run%201003").text


@pytest.mark.parametrize("headers", [{"Origin": "http://evil.example"}, {"Sec-Fetch-Site": "cross-site"}])
def test_other_sites_cannot_override(runs: TestClient, headers: dict[str, str]) -> None:
    assert runs.post("/runs/override", data=FORM, headers=headers).status_code == 403
    assert "What was said" not in runs.get("/runs/run%201003").text


def test_an_override_needs_the_token(tmp_path: Path, run_records: Callable[..., list[RunRecord]]) -> None:
    with client_of(tmp_path, run_records(7), TOKEN) as client:
        assert client.post("/runs/override", data=FORM, headers=SAME_SITE).status_code == 401
        text = client.get(run_address(HOSTILE_RUN, "populations")).text
        (link,) = re.findall(r'class="button" href="([^"]*)"', text)
        assert '<form method="post"' not in text
        back = client.get(html.unescape(link)).text
        (given,) = re.findall(r'name="back" value="([^"]*)"', back)
        assert html.unescape(given) == run_address(HOSTILE_RUN, "populations")
        assert client.post("/login", data={"token": TOKEN}, headers=SAME_SITE).status_code == 303
        assert client.post("/runs/override", data=FORM, headers=SAME_SITE).status_code == 303
        bearer = {"Authorization": "Bearer wrong"}
        client.cookies.clear()
        assert client.post("/runs/override", data=FORM, headers=bearer).status_code == 401
        client.app.state.site.store.close()  # type: ignore[attr-defined]


def test_a_run_judged_again(tmp_path: Path, run_records: Callable[..., list[RunRecord]]) -> None:
    records = run_records(4)
    with client_of(tmp_path, [*records, replace(records[3], reason="second look")]) as client:
        assert "second look" in client.get("/runs/run%201003").text
        older = client.get("/runs/run%201003?number=4").text
        assert "second look" not in older
        assert "It was judged again since." in older
        assert "4 of 4" in client.get("/runs").text
        client.app.state.site.store.close()  # type: ignore[attr-defined]


def test_the_file_of_a_run_is_complete_in_itself(tmp_path: Path, run_records: Callable[..., list[RunRecord]]) -> None:
    (*_, record) = run_records(7)
    said = (Opinion("run", "m", "r", "good", "N. Shifter", note="seen in the log", at_ns=1_790_000_000_000_000_000),)
    render_run(record, tmp_path / "run.html", said)
    text = (tmp_path / "run.html").read_text("utf-8")
    assert text.startswith("<!doctype html>")
    assert not re.search(r"<script|<link|<iframe|@import|url\(|\son\w+=|javascript:", text)
    assert not re.search(r"""(?:src|href)=["'](?!#|data:image/png)""", text)
    assert not re.search(MARKUP, text)
    assert text.count("<svg") == 21
    assert "seen in the log" in text
    assert "2026-09-21 14:13:20 UTC" in text
    with pytest.raises(SourceError, match=r"cannot be written \(.*run.html is no folder\); .* choose another -o"):
        render_run(record, tmp_path / "run.html" / "run.html")


def test_the_file_can_be_had_from_the_page(runs: TestClient) -> None:
    (link,) = re.findall(r'href="(/runs/file[^"]*)"', runs.get(run_address(HOSTILE_RUN, "populations")).text)
    answer = runs.get(html.unescape(link))
    name = answer.headers["content-disposition"]
    assert re.fullmatch(r'attachment; filename="[\w.-]+\.html"', name)
    assert answer.text.startswith("<!doctype html>")


@pytest.mark.slow
def test_500_plots_are_a_file_of_less_than_3_mb(tmp_path: Path, run_records: Callable[..., list[RunRecord]]) -> None:
    record = run_records(4)[3]
    maps = [one for one in record.plots if len(one.plot.edges) == 2]
    lines = [one for one in record.plots if len(one.plot.edges) == 1]
    plots = [replace(one, plot=replace(one.plot, name=f"{k}")) for k, one in enumerate((lines * 25)[:350] + maps * 150)]
    render_run(replace(record, plots=tuple(plots)), tmp_path / "run.html")
    assert len(plots) == 500
    assert (tmp_path / "run.html").stat().st_size < 3e6
