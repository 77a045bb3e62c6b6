"""Two models that advise on failed tasks, and tasks that are open."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from lynkeus.cli import app
from lynkeus.fitting.fit import FitSettings, fit
from lynkeus.simulate.workflows.source import Workflows


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A champion and a shadow; `open.json` lies beside them."""
    folder = tmp_path_factory.mktemp("advisers")
    settings = FitSettings("advisor", {"learner": "linear", "imbalance": "none", "max_error": 0.1}, labels="action")
    for seed, name in ((1, "champion"), (2, "shadow")):
        fit(Workflows(600, seed=seed), settings).save(folder / name)
    done = CliRunner().invoke(app, ["generate", "sim://workflows?n=400&seed=3", "-o", str(folder / "open.json")])
    assert done.exit_code == 0, done.output
    return folder / "champion", folder / "shadow"
