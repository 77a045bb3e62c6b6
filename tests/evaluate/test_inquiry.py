"""An inquiry: parts, checks of their metrics, a page with all that they found."""

from pathlib import Path

import pytest

from lynkeus.core import Check, Findings, Inquiry, SettingsError
from lynkeus.evaluate.inquiry import run_inquiry


def answer(folder: Path) -> Findings:
    (folder / "one.svg").write_text("<svg/>")
    return Findings({"one.svg": "A figure."}, {"size": 2.0}, {"Sizes": [["what", "size"], ["one", "2"]]})


def test_an_inquiry_writes_what_its_parts_found(tmp_path: Path) -> None:
    checks = (Check("first.size", at_least=1.0), Check("first.missing", at_most=1.0))
    run = run_inquiry(Inquiry("small", "How large?", {"first": answer}, checks, {"first": "two"}), tmp_path)
    assert run.metrics == {"first.size": 2.0}
    assert not run.passed  # what is missing does not pass
    assert [line.split()[0] for line in run.lines()[:2]] == ["passed", "FAILED"]
    page = run.page.read_text("utf-8")
    assert all(
        part in page for part in ("How large?", "### Sizes", "| one | 2 |", "![A figure.](small/one.svg)", "two")
    )
    with pytest.raises(SettingsError, match="has no part"):
        Inquiry("none", "", {})
