import re
from dataclasses import replace

import pytest

from lynkeus.commission.commission import CommissionSettings, commission
from lynkeus.commission.report import report_html, write_report
from lynkeus.commission.turn_on import read_table
from lynkeus.core import Alarm, SettingsError
from lynkeus.web.alarms.reports import turn_on_curves

EVIL = "area [SS]<script>alert(1)</script> & $x^2$"
CHOSEN = CommissionSettings(20.0, {"offset": (1.0, 5.0), "stuck": (1.0,), "step": (5.0,)}, length=30, per_case=6)


@pytest.fixture(scope="module")
def found(loudest, gaussian):
    return commission(loudest, gaussian(6000, 3), CHOSEN)


@pytest.fixture
def evil(found):
    """Everything that comes from outside has a name that would break a page."""
    rows = tuple(replace(row, scorer=EVIL) if row.scorer != "chance" else row for row in found.rows)
    counted = tuple(
        replace(
            c,
            scorer=EVIL,
            output=EVIL,
            alarms=(Alarm(EVIL, 10**18, 10**18, 9.0, 0.1, EVIL, 10**18 + 10**9),),
            extrapolated=True,
        )
        for c in found.false_alarms
    )
    lineages = {EVIL: {"scorer": EVIL, "set_aside": {EVIL: EVIL}, "data": [{"path": EVIL, "sha256": None}]}}
    return replace(found, rows=rows, false_alarms=counted, lineages=lineages, files=(EVIL,))


def test_the_report_and_its_table_are_written_together(found, tmp_path):
    write_report(found, tmp_path / "REPORT.html")
    assert sorted(item.name for item in tmp_path.iterdir()) == ["REPORT.html", "REPORT.parquet"]
    assert repr(read_table(tmp_path / "REPORT.parquet")) == repr(found.rows)
    text = (tmp_path / "REPORT.html").read_text()
    for word in (
        "loudest",
        "budget",
        "Turn-on curves",
        "False alarms",
        "offset",
        "stuck",
        "REPORT.parquet",
        "Cross talk",
    ):
        assert word in text


def test_the_trend_page_reads_the_table(found, tmp_path):
    write_report(found, tmp_path / "REPORT.html")
    read = turn_on_curves(tmp_path)
    assert read["message"] == ""
    assert {(curve["fault"], curve["output"]) for curve in read["curves"]} >= {("offset", "monitor"), ("step", "beam")}


def test_the_page_needs_no_network_and_no_script(found):
    text = report_html(found, "table")
    addresses = {url for url in re.findall(r"https?://[^\s\"'<>)]+", text) if "www.w3.org" not in url}
    assert {
        url for url in addresses if "purl.org" not in url and "creativecommons" not in url and "matplotlib" not in url
    } == set()
    assert not re.search(r"<script|<link|@import|\ssrc=", text)
    assert text.count("<svg") == 1
    assert "#ffffff" not in text[text.index("<svg") : text.index("</svg>")]


def test_names_are_escaped_everywhere(evil):
    text = report_html(evil, EVIL)
    assert "<script" not in text
    assert text.count("&lt;script&gt;") > 10
    assert "$x^2$" in text[text.index("<svg") : text.index("</svg>")]  # in the legend, not as a formula


def test_an_extrapolated_budget_is_said_first(found, evil):
    assert "extrapolated" not in report_html(found, "table")
    text = report_html(evil, "table")
    assert text.index("The budget is extrapolated") < text.index("Turn-on curves")


def test_a_name_that_the_table_needs_is_refused(found, tmp_path):
    with pytest.raises(SettingsError, match=r"\.html"):
        write_report(found, tmp_path / "REPORT.parquet")
