"""Any model folder given to any command works, or ends in one line: what was saved before stands for all kinds."""

import zipfile
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow(0.5)  # each, about: many of them, or processes of their own

SAVED = Path(__file__).parents[1] / "fixtures" / "saved_by_0.1.zip"
MODELS = ("three_sigma", "windows", "orbit", "autoencoder", "population", "binned_chi2")
DATA = ("table.parquet", "runs", "orbits.h5")
COMMANDS = {
    "score": ("-o", "scores.parquet"),
    "watch": ("--store", "sqlite:///watch.db", "--replay", "0"),
    "commission": ("-o", "report.html", "--quick"),
    "report": ("-o", "run.html"),
    "latent": ("-o", "latent"),
}


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("saved")
    with zipfile.ZipFile(SAVED) as archive:
        archive.extractall(folder)
    return folder


@pytest.mark.slow(0.3)
@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("model", MODELS)
def test_it_works_or_ends_in_one_line(saved: Path, lynkeus, command: str, model: str) -> None:
    for data in DATA:
        if (command, model, data) == ("commission", "population", "runs"):
            continue  # it works, and takes a minute: see tests/commission
        done = lynkeus(command, str(saved / model), str(saved / data), *COMMANDS[command])
        assert done.code in (0, 1) or done.line


@pytest.mark.parametrize("model", MODELS)
def test_an_export_is_written_or_refused_in_one_line(saved: Path, lynkeus, model: str) -> None:
    done = lynkeus("export", str(saved / model), "-o", "model.onnx")
    assert done.code == 0 or "cannot be exported" in done.line


def test_a_folder_of_runs_is_watched_once_each(saved: Path, lynkeus) -> None:
    words = ("watch", str(saved / "population"), str(saved / "runs"), "--store", "sqlite:///runs.db", "--replay", "0")
    first = lynkeus(*words)
    assert first.code == 1
    assert "run1: BAD" in first.err
    assert "2 runs judged now, 1 not good" in first.err
    again = lynkeus(*words)
    assert again.code == 0
    assert "0 runs judged now" in again.err
    for name in ("torn", "empty"):  # each is said, whatever comes after it
        (saved / "runs" / f"{name}.parquet").write_bytes(b"PAR1" if name == "torn" else b"")
    torn = lynkeus(*words)
    assert torn.code == 0
    assert all(f"{name}: NOT ENOUGH DATA, " in torn.err for name in ("torn", "empty"))
    assert "2 runs judged now, 0 not good, 2 could not be judged" in torn.err
    for name in ("torn", "empty"):
        (saved / "runs" / f"{name}.parquet").unlink()
    assert "has no meaning for runs" in lynkeus(*words, "--budget", "1/h").line
