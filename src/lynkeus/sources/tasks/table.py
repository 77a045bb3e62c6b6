"""TaskTable: failed tasks of a table, which has a row for each exit code at a site, or one for each task.

The table is a file of CSV, Parquet or JSON lines, or a table or query of a database.
"""

from __future__ import annotations

import csv
import gzip
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow.parquet as pq

from lynkeus.core.errors import SourceError
from lynkeus.files.damaged import one_line
from lynkeus.sources.tasks.record import ERRORS, NAMES, PARAMETERS, Record, jobs_of, record_of
from lynkeus.sources.tasks.source import TaskRecords, TaskSource, holds_tasks
from lynkeus.sources.texts.records import SEPARATORS, Records, is_database, read_database, read_records

# How columns are called, in the order in which they are looked for.
TASKS = (*NAMES, "task_name", "workflow_name")
CODES = ("code", "exit_code", "exitcode", "error_code", "errorcode")
SITES = ("site", "site_name")
STATES = ("state", "site_state", "status", "site_status")
COUNTS = ("count", "counts", "jobs", "n", "number", "failures")
GOOD = ("good", "good_sites", "good_site", "g", "true", "1")
BAD = ("bad", "bad_sites", "bad_site", "b", "false", "0")
TABLES = (".csv", ".tsv", ".csv.gz", ".tsv.gz", ".parquet")
LINES = (".jsonl", ".ndjson", ".jsonl.gz")
HEAD = 65_536  # bytes in which the first line must end
NEEDED = f"task, code and site (and state, count, action, ...), or a column {ERRORS} of JSON"


class Columns(NamedTuple):
    """The columns of a row's `task`, `code`, `site`, `state` and number of `jobs`, "" where there is none."""

    task: str
    code: str
    site: str
    state: str
    jobs: str

    @classmethod
    def of(cls, names: Iterable[str]) -> Columns:
        """Return those among names."""
        known = {name.strip().lower(): name for name in names}
        found = (next((known[one] for one in own if one in known), "") for own in (TASKS, CODES, SITES, STATES, COUNTS))
        return cls(*found)

    def is_long(self) -> bool:
        """Return whether there is a row for each code at a site."""
        return bool(self.task and self.code and self.site)


class TaskTable(TaskRecords):
    """The tasks of a table: of a path, or of a URL of SQLAlchemy with `?table=NAME` or `?query=SELECT ...`.

    A row for each code at a site: `task`, `code`, `site`, whether the site was good or bad (`state`), how many jobs
    (`count`; without one each row is a job). Other columns are parameters of the task. A row for each task: a column
    `errors` of JSON, and `parameters` or other columns. Raises SourceError for other tables.
    """

    def __init__(self, data: str | Path) -> None:
        if is_database(str(data)):
            where = self.url = str(data).rpartition("@")[2]
            rows = read_database(str(data))
        else:
            path, where = Path(data).expanduser(), str(data)
            self.files = (path,)
            with one_line(path, mend="write it again"):
                rows = read_records(path)
        notes: Counter[str] = Counter()
        said = list(rows.messages)
        columns = Columns.of(rows.columns)
        if columns.is_long():
            records = _of_rows(rows, columns, notes, said)
        elif ERRORS in rows.columns:
            records = list(_of_tasks(rows, columns.task, notes, where))
        else:
            raise SourceError(
                f"{where}: no table of failed tasks, which has the columns {NEEDED}; it has: "
                f"{', '.join(rows.columns)}; for texts give --text COLUMN"
            )
        super().__init__(records, where, notes, said)


def _of_rows(rows: Records, columns: Columns, notes: Counter[str], said: list[str]) -> list[Record]:
    """Return the tasks of a table with a row for each code at a site."""
    if columns.state and not any(map(_state, rows.columns[columns.state])):
        columns = columns._replace(state="")  # the status of something else
    if not columns.state:
        said.append("no column says whether a site was good or bad: all are taken as good")
    if not columns.jobs:
        said.append("no column says how many jobs failed: each row is taken as one")
    given = {name: rows.columns[name] for name in columns if name}
    nothing = [""] * len(rows)
    task, code, site, state, count = (given.get(name, nothing) for name in columns)
    more = {name: own for name, own in rows.columns.items() if name not in given}
    found: dict[str, dict[tuple[str, str, str], float]] = {}
    parameters: dict[str, dict[str, str]] = {}
    for k, name in enumerate(task):
        if not name:
            notes["rows without the name of a task are left out"] += 1
            continue
        _join(parameters.setdefault(name, {}), {key: own[k] for key, own in more.items()}, notes)
        errors = found.setdefault(name, {})
        if not code[k] and not site[k]:
            continue  # as an outer join has it of a task without errors
        word = _state(state[k]) if columns.state else "good"
        if not code[k] or not site[k] or not word:
            notes["rows without a code, a site, or whether it was good or bad, are left out"] += 1
            continue
        jobs = jobs_of(count[k], notes) if columns.jobs else 1.0
        if jobs:
            key = (word, code[k], site[k])
            errors[key] = errors.get(key, 0.0) + jobs
    if none := sum(not errors for errors in found.values()):
        notes["tasks without errors"] += none
    return [Record(name, list(errors), list(errors.values()), parameters[name]) for name, errors in found.items()]


def _state(word: str) -> str:
    """Return good or bad, "" for what says neither."""
    own = word.strip().lower()
    return "good" if own in GOOD else "bad" if own in BAD else ""


def _join(known: dict[str, str], found: Mapping[str, str], notes: Counter[str]) -> None:
    """Add parameters of a row to those of its task: the first that says something holds."""
    for name, word in found.items():
        if word and known.get(name) and known[name] != word:
            notes[f"rows whose {name} is another than that of the first row of the task: the first one holds"] += 1
        if not known.get(name):
            known[name] = word


def _of_tasks(rows: Records, name: str, notes: Counter[str], where: str) -> Iterator[Record]:
    """Yield the tasks of a table with a row for each, whose errors are JSON."""
    for k in range(len(rows)):
        row = {column: own[k] for column, own in rows.columns.items()}
        own = row.pop(name) if name else str(k + 1)
        errors = _json(row.pop(ERRORS), f"{where}: the {ERRORS} of {own!r}")
        parameters = _json(row.pop(PARAMETERS, ""), f"{where}: the {PARAMETERS} of {own!r}") or {}
        yield record_of(own, {PARAMETERS: {**row, **parameters}, ERRORS: errors}, notes, where)


def _json(text: str, what: str) -> Any:
    try:
        found = json.loads(text) if text.strip() else {}
    except (json.JSONDecodeError, RecursionError) as error:
        raise SourceError(f"{what} are no JSON ({str(error).splitlines()[0]}); write them as an object") from error
    if not isinstance(found, Mapping):
        raise SourceError(f"{what} are no object of JSON; write them by name")
    return found


def is_task_table(path: Path) -> bool:
    """Return whether a table has a row for each code of a task at a site: by its schema, or its first line."""
    name = path.name.lower()
    if not name.endswith((*LINES, *TABLES)) or not path.is_file():
        return False
    with one_line(path):
        if name.endswith(".parquet"):
            return Columns.of(pq.read_schema(path).names).is_long()
        with gzip.open(path) if name.endswith(".gz") else path.open("rb") as file:
            line = file.readline(HEAD).decode("utf-8-sig", "replace").rstrip("\r\n")
    if name.endswith(LINES):
        try:
            found = json.loads(line)
        except (json.JSONDecodeError, RecursionError):
            return False
        return isinstance(found, Mapping) and ERRORS not in found and Columns.of(map(str, found)).is_long()
    heads = (next(csv.reader([line], delimiter=separator), []) for separator in SEPARATORS)
    return any(Columns.of(names).is_long() for names in heads)


def open_tasks(data: str, anyway: bool = False) -> TaskRecords | None:
    """Return the tasks of JSON, a table or a database; None where there are none (`anyway`: it is tried as a table)."""
    if is_database(data):
        return TaskTable(data)
    path = Path(data).expanduser()
    if is_task_table(path):
        return TaskTable(path)
    if holds_tasks(path):
        return TaskSource(path)
    return TaskTable(path) if anyway and path.name.lower().endswith(TABLES) and path.is_file() else None
