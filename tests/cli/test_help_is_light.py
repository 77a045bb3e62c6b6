"""`lynkeus --help` waits for nothing that it does not need: no arrays, no models, no pages for a list of commands.

Modules are looked at, not seconds: machines differ.
"""

import subprocess
import sys

import pytest

HEAVY = {
    "numpy", "torch", "lightning_fabric", "scipy", "sklearn", "pyarrow", "h5py", "matplotlib", "PIL", "fastapi",
    "sqlalchemy", "jinja2", "boost_histogram", "onnxruntime",
}  # fmt: skip


@pytest.mark.parametrize("words", [["--help"], ["fit", "--help"], ["study", "--help"], ["version"]], ids=" ".join)
def test_help_imports_no_library_of_arrays_networks_or_pages(words: list[str]) -> None:
    code = "import atexit, sys; atexit.register(lambda: print(*sys.modules, file=sys.stderr)); import lynkeus.__main__"
    done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, check=True)
    imported = {name.partition(".")[0] for name in done.stderr.split()}
    assert "lynkeus" in imported
    assert not imported & HEAVY
    assert "lynkeus.core" not in done.stderr.split()


def test_fit_and_commission_do_not_wait_for_distributions_and_stores_that_it_does_not_use() -> None:
    modules = "lynkeus.cli.fit, lynkeus.fitting.choose, lynkeus.commission.commission, lynkeus.metrics.tagging"
    code = f"import sys, {modules}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    imported = set(done.stdout.split())
    assert "lynkeus.fitting.second_population" in imported
    assert not imported & {"scipy.stats", "sqlalchemy", "sklearn", "torch", "pandas"}
