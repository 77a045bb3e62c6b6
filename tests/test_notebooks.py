"""The tutorial notebooks run from the start, within a minute, and what is stored in them is what their code gives."""

import re
import resource
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

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


@pytest.mark.slow(19)
@each
def test_runs_and_shows_what_is_stored(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT / "src"))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    stored, notebook = read(path), read(path)
    before = cpu_seconds_of_children()
    where = {"metadata": {"path": str(tmp_path)}}
    NotebookClient(notebook, timeout=300, kernel_name="python3", resources=where).execute()
    took = cpu_seconds_of_children() - before
    for old, new in zip(code_cells(stored), code_cells(notebook), strict=True):
        assert shown(new) == shown(old), f"{path.name} was changed and not run again: {old.source[:60]!r}"
    assert took < CPU_SECONDS, f"{took:.0f} s of CPU"


def cpu_seconds_of_children() -> float:
    """Of processes that have ended, such as a kernel."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
