"""The tutorial notebooks run from the start, within a minute, and what is stored in them is what their code gives."""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient
from tests import notebook_kernels

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT / "docs").rglob("*.ipynb"))
CPU_SECONDS = 60.0
LARGEST_BYTES = 400_000
LARGEST_FIGURE = 60 * 1024 * 4 // 3 + 4  # 60 kB in base64
NUMBER = re.compile(r"[-+]?\d+(\.\d+)?")
VERDICT = re.compile(r"converged|over-fitted|collapsed|still learning")


def read(path: Path) -> Any:
    return nbformat.read(path, as_version=4)


def code_cells(notebook: Any) -> list[Any]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def shown(cell: Any) -> tuple[str, int, list[str]]:
    """Text without its numbers and verdicts, which depend a little on the machine, number of figures, other kinds."""
    text, figures, others = "", 0, []
    for output in cell.outputs:
        data = output.get("data", {})
        if output.output_type == "stream":
            text += output.text
        elif "image/png" in data:
            figures += 1
        else:
            others += sorted(data) or [output.output_type]
    return VERDICT.sub("?", NUMBER.sub("#", text)).replace(" ", ""), figures, others


def each(function: Any) -> Any:
    return pytest.mark.parametrize("path", [pytest.param(path, id=path.stem) for path in NOTEBOOKS])(function)


def test_each_has_a_number_of_its_own() -> None:
    numbers = sorted(int(path.name.partition("_")[0]) for path in NOTEBOOKS)
    assert numbers == sorted(set(numbers))
    assert numbers[:12] == list(range(1, 13))


@each
def test_stored_outputs_are_whole_and_small(path: Path) -> None:
    cells = code_cells(read(path))
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    assert sum(shown(cell)[1] for cell in cells) >= 1
    assert not [kind for cell in cells for kind in shown(cell)[2]]  # such as error, or a table in HTML
    assert path.stat().st_size < LARGEST_BYTES
    figures = [output.data["image/png"] for cell in cells for output in cell.outputs if "data" in output]
    assert max(map(len, figures)) < LARGEST_FIGURE


@pytest.fixture(scope="module")
def kernels(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Where kernels are asked for that need not import what every notebook imports."""
    folder = Path(tempfile.mkdtemp(prefix="lynkeus-"))  # the address of a socket must be short
    begins = [sys.executable, "-I", "-S", notebook_kernels.__file__, "begin", str(folder / "socket")]
    spec = {"argv": [*begins, "{connection_file}"], "display_name": "forked", "language": "python"}
    (folder / "kernels" / "forked").mkdir(parents=True)
    (folder / "kernels" / "forked" / "kernel.json").write_text(json.dumps(spec), "utf-8")
    own = {"PYTHONPATH": str(ROOT / "src"), "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    serves = [sys.executable, notebook_kernels.__file__, "serve", str(folder / "socket"), *map(str, NOTEBOOKS)]
    with subprocess.Popen(serves, env=os.environ | own) as server:
        until = time.monotonic() + 240
        while not (folder / "socket").exists():
            assert server.poll() is None, "the server of kernels ended as it began"
            assert time.monotonic() < until, "the server of kernels does not begin"
            time.sleep(0.05)
        yield folder
        server.kill()
    shutil.rmtree(folder)


@pytest.mark.slow(12)
@each
def test_runs_and_shows_what_is_stored(
    path: Path, kernels: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JUPYTER_PATH", str(kernels))
    stored, notebook = read(path), read(path)
    connection = tmp_path / "connection.json"
    (tmp_path / "empty").mkdir()
    where = {"metadata": {"path": str(tmp_path / "empty")}}
    client = NotebookClient(notebook, timeout=300, kernel_name="forked", resources=where)
    client.create_kernel_manager().connection_file = str(connection)
    client.execute()
    took = notebook_kernels.seconds_of(kernels / "socket", str(connection))
    for old, new in zip(code_cells(stored), code_cells(notebook), strict=True):
        assert shown(new) == shown(old), f"{path.name} was changed and not run again: {old.source[:60]!r}"
    assert took < CPU_SECONDS, f"{took:.0f} s of CPU"
