"""Tasks as JSON: a table, a list, lines, a folder; what is left out is said, what cannot be read names its line."""

import contextlib
import gzip
import json
import sqlite3
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lynkeus.core import Batch, SourceError, concatenate
from lynkeus.sources import open_source
from lynkeus.sources.tasks.source import TaskSource
from lynkeus.sources.writers.write import write_source
from lynkeus.transforms.counts import COUNTS, KEYS

TASK = {
    "parameters": {"action": "acdc", "memory": 20000, "sites": ["T2_A", "T2_B"], "xrootd": None},
    "errors": {"good_sites": {"50660": {"T2_A": 12, "T2_B": 1}}, "bad_sites": {"-1": {"T2_A": 3}}},
}


def one(path: Path, content: object) -> Batch:
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return concatenate(list(open_source(path)))


def said(path: Path) -> list[str]:
    source = open_source(path)
    list(source)
    return source.messages


def test_a_simulation_is_read_as_it_was(tmp_path: Path) -> None:
    expected = concatenate(list(open_source("sim://workflows?n=60")))
    assert write_source(open_source("sim://workflows?n=60"), tmp_path / "t.json") == 60
    read = one(tmp_path / "t.json", (tmp_path / "t.json").read_text())
    assert read.meta["task"].tolist() == expected.meta["task"].tolist()
    assert read.meta["action"].tolist() == expected.meta["action"].tolist()
    for mine, theirs in zip(_rows(read), _rows(expected), strict=True):
        assert mine == theirs


def _rows(batch: Batch) -> list[dict[tuple[str, ...], float]]:
    keys, counts = batch.packed.groups[KEYS], batch.packed.groups[COUNTS].values[:, 0]
    return [
        {tuple(row): float(count) for row, count in zip(keys.values[a:b].tolist(), counts[a:b], strict=True)}
        for a, b in zip(keys.offsets, keys.offsets[1:], strict=False)
    ]


@pytest.mark.parametrize("form", ["table", "list", "lines", "alone", "folder"])
def test_every_form_gives_the_same_task(tmp_path: Path, form: str) -> None:
    named = {"name": "t1", **TASK}
    path = tmp_path / ("t.jsonl" if form == "lines" else "t.json")
    content = {"table": {"t1": TASK}, "list": [named], "lines": json.dumps(named) + "\n", "alone": named}
    if form == "folder":
        path = tmp_path / "tasks"
        path.mkdir()
        (path / "t1.json").write_text(json.dumps(TASK), "utf-8")
        found = concatenate(list(open_source(path)))
    else:
        found = one(path, content[form])
    assert found.meta["task"].tolist() == ["t1"]
    assert {name: column[0] for name, column in found.meta.items() if name != "task"} == {
        "action": "acdc", "memory": "20000", "sites": "T2_A,T2_B", "xrootd": "",
    }  # fmt: skip
    expected = {("good", "50660", "T2_A"): 12.0, ("good", "50660", "T2_B"): 1.0, ("bad", "-1", "T2_A"): 3.0}
    assert _rows(found) == [expected]


ROWS = """task,exit_code,site,state,jobs,action,memory
t1,50660,T2_A,good,12,acdc,20000
t1,50660,T2_B,good,1,acdc,20000
t1,-1,T2_A,bad,2,,
t1,-1,T2_A,bad,1,clone,20000
t2,,,,,special,
"""


@pytest.mark.parametrize("form", ["rows.csv", "rows.csv.gz", "rows.jsonl", "rows.parquet", "table", "query", "whole"])
def test_a_table_or_a_database_gives_the_same_tasks(tmp_path: Path, form: str) -> None:
    head, *lines = (line.split(",") for line in ROWS.splitlines())
    path = tmp_path / form
    if form.endswith((".csv", ".gz")):
        path.write_bytes(gzip.compress(ROWS.encode()) if form.endswith(".gz") else ROWS.replace(",", ";").encode())
    elif form == "rows.jsonl":
        path.write_text("\n".join(json.dumps(dict(zip(head, line, strict=True))) for line in lines), "utf-8")
    elif form == "rows.parquet":
        pq.write_table(pa.table({name: [line[k] or None for line in lines] for k, name in enumerate(head)}), path)
    else:
        path = _database(tmp_path / "ops.db", head, lines, form)
    source = open_source(path)
    found = concatenate(list(source))
    assert found.meta["task"].tolist() == ["t1", "t2"]
    assert found.meta["action"].tolist() == ["acdc", "special"]
    assert found.meta["memory"].tolist() == ["20000", ""]
    expected = {("good", "50660", "T2_A"): 12.0, ("good", "50660", "T2_B"): 1.0, ("bad", "-1", "T2_A"): 3.0}
    assert _rows(found) == [expected, {}]
    lines = " / ".join(source.messages)
    assert "tasks without errors: 1" in lines
    assert ("rows whose action is another" in lines) == (form != "whole")


def _database(path: Path, head: list[str], lines: list[list[str]], form: str) -> str:
    with contextlib.closing(sqlite3.connect(path)) as store, store:
        if form == "whole":
            store.execute("CREATE TABLE tasks (workflow TEXT, errors TEXT, action TEXT, parameters TEXT)")
            errors = {"good_sites": {"50660": {"T2_A": 12, "T2_B": 1}}, "bad_sites": {"-1": {"T2_A": 3}}}
            store.execute("INSERT INTO tasks VALUES ('t1', ?, 'acdc', '{\"memory\": 20000}')", [json.dumps(errors)])
            store.execute("INSERT INTO tasks VALUES ('t2', NULL, 'special', NULL)")
        else:
            store.execute(f"CREATE TABLE failures ({', '.join(head)})")
            store.executemany(f"INSERT INTO failures VALUES ({', '.join('?' * len(head))})", lines)
            store.execute("CREATE TABLE other (x)")
    asked = {"table": "?table=failures", "query": "?query=SELECT * FROM failures WHERE task LIKE 't%25'"}
    return f"sqlite:///{path}{asked.get(form, '')}"


def test_rows_that_say_too_little_are_left_out_and_said(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text(
        "name,code,site,status,extra\na,1,A,failed,x\na,1,A,failed,y\n,1,A,failed,\nb,,A,failed,\n", "utf-8"
    )
    expected = open_source("sim://workflows?n=2").schema
    source = open_source(path, expected=expected)
    found = concatenate(list(source))
    assert _rows(found) == [{("good", "1", "A"): 2.0}, {}]
    assert found.meta["status"].tolist() == ["failed", "failed"]
    lines = " / ".join(source.messages)
    for part in (
        "taken as good",
        "taken as one",
        "without the name of a task are left out: 1",
        "whose extra",
        "without a code, a site",
    ):
        assert part in lines
    path.write_text("x,y\n1,2\n", "utf-8")
    with pytest.raises(SourceError, match="it has: x, y"):
        open_source(path, expected=expected)
    assert open_source(path).schema.kind == "table"
    path.write_text('task,errors\na,"{""good_sites"": "\n', "utf-8")
    with pytest.raises(SourceError, match="errors of 'a' are no JSON"):
        open_source(path, expected=expected)
    with pytest.raises(SourceError, match="no such file"):
        open_source("sqlite:///nowhere.db")


def test_odd_counts_are_left_out_and_said(tmp_path: Path) -> None:
    errors = {"good_sites": {"1": {"A": -4, "B": 1e12, "C": "many", "D": float("nan"), "E": 0, "F": 2}}}
    found = one(tmp_path / "t.json", {"t": {"parameters": {}, "errors": errors}, "u": {"parameters": {}, "errors": {}}})
    assert _rows(found)[0] == {("good", "1", "B"): 1e9, ("good", "1", "F"): 2.0}
    lines = " / ".join(said(tmp_path / "t.json"))
    for part in ("below zero or not finite are left out: 2", "above 1e+09", "no numbers", "tasks without errors: 1"):
        assert part in lines


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ('{"t": {"parameters": {},\n "errors": {"good_sites": {]}}}', "line 2"),
        ('{"t": {"parameters": {}, "errors": [1]}}', "no table of codes"),
        ('{"t": {"parameters": {}, "errors": {"good_sites": {"1": 3}}}}', "where a table is meant"),
        ('{"t": {"parameters": {}, "errors": {}}, "u": 3}', "'u' is no task"),
        ('[{"name": "t", "parameters": {}}, {"name": "t", "parameters": {}}]', "there twice"),
        ("[" * 100_000, "nested too deep|no JSON"),
        ("", "no JSON at line 1"),
        ('{"x": 1}', "'x' is no task"),
        ("7", "holds int where tasks are meant"),
    ],
)
def test_what_is_no_task_is_one_line(tmp_path: Path, content: str, words: str) -> None:
    with pytest.raises(SourceError, match=words) as error:
        one(tmp_path / "t.json", content)
    assert "\n" not in str(error.value)
    assert "t.json" in str(error.value)


def test_a_folder_with_other_json_is_read_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "about.json").write_text('{"x": 1}', "utf-8")
    (tmp_path / "a.csv").write_text("x,y\n1,2\n3,4\n", "utf-8")
    assert open_source(tmp_path).schema.kind == "table"


def test_a_line_of_lines_is_named(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="line 2"):
        one(tmp_path / "t.jsonl", json.dumps({"name": "a", **TASK}) + "\n{broken\n")


def test_a_bad_line_is_named_and_other_encodings_are_read(tmp_path: Path) -> None:
    one = '{"task": "a", "parameters": {"action": "acdc"}, "errors": {"good_sites": {"50660": {"T2_A": 3}}}}'
    lines = tmp_path / "tasks.jsonl"
    lines.write_text(f'{one}\n\n{{"parameters": {{"action": "acdc"\n', "utf-8")
    with pytest.raises(SourceError, match="line 3, column"):
        TaskSource(lines)
    lines.write_bytes(f"{one}\n{one}\n".replace('"a"', '"ä"', 1).replace('"a"', '"b"').encode("cp1252"))
    found = TaskSource(lines)
    assert [record.name for record in found.records] == ["ä", "b"]
    assert any("Windows-1252" in line for line in found.messages)
