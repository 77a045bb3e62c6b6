"""The study of scale factors end to end, small; and what a row says of the truth."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lynkeus.evaluate.tagging.run import run_tagging
from lynkeus.scale_factors.measurement import Cell
from lynkeus.studies.scale_factors.answers import Row
from lynkeus.studies.scale_factors.look import FactorLook
from lynkeus.studies.scale_factors.study import scale_factors

pytest.importorskip("torch")
pytest.importorskip("iminuit")


class Fit:
    """As much of a fit as a row looks at."""

    factor, p_value, problem = np.array([0.9, 1.0]), 0.5, ""


@pytest.mark.parametrize(("true", "error"), [(0.95, 0.05), (0.85, 0.13)])
def test_a_pull_is_counted_in_the_error_on_the_side_of_the_truth(true: float, error: float) -> None:
    shifts = {
        "statistics": np.array([[-0.05, 0.04], [0, 0]]), "templates": np.array([[0, 0], [0, 0]]),
        "tune": np.array([[-0.12, 0.03], [0, 0]]),
    }  # fmt: skip
    fit: Any = Fit()
    cell = Cell("medium", (0,), None, fit, np.array([0.7, 0.1]), shifts)  # type: ignore[arg-type]
    row = Row("data", "sv_mass", "here", true, 0.01, cell, 0)
    assert row.error == pytest.approx(error)
    assert row.pull == pytest.approx((0.9 - true) / error)
    assert abs(row.bare_pull) > abs(row.pull)


@pytest.mark.slow(20)
def test_the_study_runs_small_and_passes_its_checks(tmp_path: Path) -> None:
    study = scale_factors(smoke=True)
    assert isinstance(study.look, FactorLook)
    run = run_tagging(study, tmp_path)
    assert run.passed, run.lines()
    page = run.page.read_text("utf-8")
    assert "### Measured against true, in short" in page
    assert {path.name for path in (tmp_path / "scale_factors").iterdir()} >= {"factors.svg", "fit.svg", "metrics.json"}
    assert np.isfinite(run.metrics["data.sv_mass.rms_pull"])
