"""Texts as people keep them: CSV of any separator and encoding, Parquet, JSON, folders, logbooks, databases."""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import sqlalchemy as sa

from lynkeus.core import SettingsError, SourceError, concatenate
from lynkeus.sources import open_source

ROWS = [("Prüfer für Ströme; Teilzeit", "lead"), ('says "no",\nand goes', "junior")]


def texts(path: Path | str, column: str = "") -> tuple[list[str], dict[str, list[str]], list[str]]:
    source = open_source(path, text=column)
    batch = concatenate(list(source))
    return batch.values.tolist(), {name: own.tolist() for name, own in batch.meta.items()}, source.messages


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("quote", ['"', "'"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_csv_as_it_is_written(tmp_path: Path, separator: str, quote: str, encoding: str) -> None:
    def quoted(entry: str) -> str:
        return quote + entry.replace(quote, quote * 2) + quote

    lines = [separator.join(["text", "level"]), *(separator.join(map(quoted, row)) for row in ROWS)]
    (tmp_path / "a.csv").write_bytes("\n".join(lines).encode(encoding))
    found, known, _ = texts(tmp_path / "a.csv")
    assert found == [row[0] for row in ROWS]
    assert known == {"level": ["lead", "junior"]}


def test_lines_of_two_encodings_are_said(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes("text,level\nStröme,a\n".encode() + "Größe,b\n".encode("cp1252"))
    found, _, lines = texts(tmp_path / "a.csv")
    assert found == ["Ströme", "Größe"]
    assert "1 of 4 lines are not UTF-8" in lines[0]


@pytest.mark.parametrize("form", ["parquet", "jsonl", "json", "named"])
def test_other_files_of_records(tmp_path: Path, form: str) -> None:
    records = [{"text": text, "level": level} for text, level in ROWS]
    path = tmp_path / f"a.{'json' if form == 'named' else form}"
    if form == "parquet":
        pq.write_table(pa.Table.from_pylist(records), path)
    elif form == "jsonl":
        path.write_text("\n".join(json.dumps(row) for row in records), "utf-8")
    else:
        path.write_text(json.dumps(records if form == "json" else {f"r{k}": row for k, row in enumerate(records)}))
    found, known, _ = texts(path)
    assert found == [row[0] for row in ROWS]
    assert known["level"] == ["lead", "junior"]


def test_a_folder_of_files_is_labelled_by_its_folders(tmp_path: Path) -> None:
    for name, folder in (("a", "vacuum"), ("b", "cryo")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / f"{name}.txt").write_text(f"text of {name}", "utf-8")
    found, known, _ = texts(tmp_path)
    assert found == ["text of b", "text of a"]
    assert known["label"] == ["cryo", "vacuum"]


def test_entries_of_a_logbook(tmp_path: Path) -> None:
    entry = (
        "$@MID@$: {}\nDate: Mon, 05 Jan 2026 10:00:00 +0100\nAuthor: AB\nType: {}\nEncoding: {}\n" + "=" * 40 + "\n{}\n"
    )
    (tmp_path / "260105a.log").write_text(
        entry.format(1, "Info", "plain", "RF tripped & came back")
        + entry.format(2, "Problem", "HTML", "<b>Vacuum</b> low")
    )
    found, known, _ = texts(tmp_path / "260105a.log")
    assert found == ["RF tripped & came back", "Vacuum  low"]
    assert known["type"] == ["Info", "Problem"]
    assert known["id"] == ["1", "2"]


def test_tables_and_queries_of_a_database(tmp_path: Path) -> None:
    engine = sa.create_engine(f"sqlite:///{tmp_path / 'a.db'}")
    with engine.begin() as connection:
        connection.execute(sa.text("CREATE TABLE ads (text TEXT, level TEXT)"))
        connection.execute(sa.text("CREATE TABLE other (a INT)"))
        connection.execute(sa.text("INSERT INTO ads VALUES (:a, :b)"), [{"a": a, "b": b} for a, b in ROWS])
    url = f"sqlite:///{tmp_path / 'a.db'}"
    assert texts(f"{url}?table=ads")[0] == [row[0] for row in ROWS]
    assert texts(f"{url}?query=SELECT text FROM ads WHERE level = 'junior'")[0] == [ROWS[1][0]]
    with pytest.raises(SourceError, match=r"which table.*ads, other"):
        texts(url)
    with pytest.raises(SourceError, match=r"there is no table 'none'; there are: ads, other"):
        texts(f"{url}?table=none")
    with pytest.raises(SourceError, match="no such file"):
        texts(f"sqlite:///{tmp_path / 'none.db'}")


def test_the_column_is_found_or_named(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("code,what it says\n1,a long story\n2,another one\n", "utf-8")
    found, _, lines = texts(tmp_path / "a.csv")
    assert found == ["a long story", "another one"]
    assert lines == ["the texts are in the column 'what it says'; --text names another"]
    with pytest.raises(SourceError, match=r"no column 'body' \(--text\); columns are: code, what it says"):
        texts(tmp_path / "a.csv", "body")


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.csv", "", "is empty"),
        ("a.csv", "text,text\na,b\n", "each once"),
        ("a.csv", "text,level\n,\n", "holds no text"),
        ("a.jsonl", '{"text": "a"}\n{"text": \n', "line 2"),
        ("a.json", "[1, 2]", "records with names"),
    ],
)
def test_what_holds_no_texts_is_one_line(tmp_path: Path, name: str, content: str, words: str) -> None:
    (tmp_path / name).write_text(content, "utf-8")
    with pytest.raises((SourceError, SettingsError), match=words) as error:
        texts(tmp_path / name)
    assert "\n" not in str(error.value)


def test_long_and_empty_texts_are_said(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("text,level\n" + "x" * 200_000 + ",a\n  ,b\n", "utf-8")
    found, _, lines = texts(tmp_path / "a.csv")
    assert len(found[0]) == 100_000
    assert any("first 100000 letters" in line for line in lines)
    assert any("1 texts are empty" in line for line in lines)
