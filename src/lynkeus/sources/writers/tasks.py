"""Failed tasks as JSON, as the reader of tasks reads them: one task a line, all in one table by name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from lynkeus.core.batch import Batch
from lynkeus.core.protocols import Source
from lynkeus.sources.tasks.record import ERRORS, PARAMETERS, STATES, TASK
from lynkeus.transforms.counts import COUNTS, KEYS


def write_tasks(source: Source, path: Path) -> int:
    """Write all tasks of a source, with what is known of each as its parameters; return how many."""
    rows = 0
    with path.open("w", encoding="utf-8") as file:
        for batch in source:
            for name, task in _tasks(batch, rows):
                file.write(("{\n" if not rows else ",\n") + f"{json.dumps(name)}: {json.dumps(task)}")
                rows += 1
        file.write("\n}\n")
    return rows


def _tasks(batch: Batch, first: int) -> list[tuple[str, dict[str, Any]]]:
    keys, counts = batch.packed.groups[KEYS], batch.packed.groups[COUNTS]
    words, numbers = keys.values.tolist(), counts.values[:, 0].tolist()
    columns = {name: column.tolist() for name, column in batch.meta.items() if name != TASK}
    if batch.time_ns is not None:
        columns["time_ns"] = batch.time_ns.tolist()
    names = batch.meta[TASK].tolist() if TASK in batch.meta else [f"task_{first + k}" for k in range(len(batch))]
    found = []
    for k, name in enumerate(names):
        errors: dict[str, dict[str, dict[str, int]]] = {state: {} for state in STATES}
        for row in range(int(keys.offsets[k]), int(keys.offsets[k + 1])):
            state, code, site = words[row]
            errors[f"{state}_sites"].setdefault(code, {})[site] = int(numbers[row])
        parameters = {column: values[k] for column, values in columns.items()}
        found.append((name, {PARAMETERS: parameters, ERRORS: errors}))
    return found
