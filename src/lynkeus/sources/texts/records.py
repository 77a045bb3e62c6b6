"""Records: the rows of a file or a table of a database, as columns of words."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlsplit, urlunsplit

import pyarrow.parquet as pq

from lynkeus.core.errors import SourceError
from lynkeus.sources.texts.decoded import decoded
from lynkeus.sources.texts.logbook import entries_of, is_logbook

SEPARATORS = (",", ";", "\t", "|")
QUOTES = ('"', "'")
LOOKED_AT = 50
LONGEST_FIELD = 1 << 30
FOLDED = ("text", "file")  # columns of a folder of text files
TEXTS = (".txt", ".md", ".log")
ENDINGS = (".csv", ".tsv", ".csv.gz", ".tsv.gz", ".parquet", ".jsonl", ".ndjson", ".jsonl.gz", ".json", *TEXTS)
SCHEMES = ("sqlite", "postgresql", "mysql", "mariadb", "oracle", "mssql")


class Records(NamedTuple):
    """Columns of words by name, all of the same length, and what is to be said of how they were read."""

    columns: dict[str, list[str]]
    messages: list[str]

    def __len__(self) -> int:
        return len(next(iter(self.columns.values()), ()))


def read_records(path: Path) -> Records:
    """Read a file of records, or a folder of text files. Raises SourceError naming file, line and remedy."""
    if path.is_dir():
        return _of_folder(path)
    name = path.name.lower().removesuffix(".gz")
    if not path.is_file():
        raise SourceError(f"{path}: no such file or folder; check the path")
    if not path.stat().st_size:
        raise SourceError(f"{path}: the file is empty; copy it again from where it was written")
    if name.endswith(".parquet"):
        table = pq.read_table(path)
        return Records({column: [_word(one) for one in table[column].to_pylist()] for column in table.column_names}, [])
    text, said = decoded(path)
    if name.endswith((".jsonl", ".ndjson")):
        return _records(_lines_of_json(path, text), said, path)
    if name.endswith(".json"):
        return _records(_json(path, text), said, path)
    if is_logbook(text):
        return _records(entries_of(text), said, path)
    if name.endswith(TEXTS):
        return Records({"text": [text], "file": [path.name]}, said)
    return _of_csv(path, text, said)


def _of_csv(path: Path, text: str, said: list[str]) -> Records:
    csv.field_size_limit(LONGEST_FIELD)
    separator, quote = _dialect(text)
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=separator, quotechar=quote)
    names = [name.strip() for name in next(rows, [])]
    if len(names) < 1 or not all(names) or len(set(names)) < len(names):
        raise SourceError(f"{path}: line 1 must name the columns, each once; add a header line")
    columns: list[list[str]] = [[] for _ in names]
    other = 0
    for row in rows:
        if not row:
            continue
        if len(row) != len(names):
            other += 1
            continue
        for column, entry in zip(columns, row, strict=True):
            column.append(entry)
    if other:
        said = [*said, f"{path.name}: {other} rows do not have {len(names)} entries, and are left out"]
    if not columns[0]:
        raise SourceError(f"{path}: holds no row of {len(names)} entries separated by {separator!r}; check the file")
    return Records(dict(zip(names, columns, strict=True)), said)


def _dialect(text: str) -> tuple[str, str]:
    """Return separator and quote by which most of the first rows have as many entries as the header, and more than
    one."""
    best, found, head = -1.0, (",", '"'), text[:400_000]
    for separator in SEPARATORS:
        for quote in QUOTES:
            rows = csv.reader(io.StringIO(head, newline=""), delimiter=separator, quotechar=quote)
            own = [len(row) for row, _ in zip(rows, range(LOOKED_AT), strict=False) if row]
            alike = sum(one == own[0] for one in own) / len(own) if own else 0.0
            # Of two quotes by which rows have as many entries, the one that stands before entries.
            before = sum(head.count(sign + quote) for sign in (separator, "\n"))
            worth = alike + 0.01 * before / (before + 1.0) if own and own[0] > 1 else 0.0
            if worth > best + 1e-9:
                best, found = worth, (separator, quote)
    return found


def _lines_of_json(path: Path, text: str) -> Iterable[Mapping[str, Any]]:
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            yield _parsed(path, line, number)


def _json(path: Path, text: str) -> Iterable[Mapping[str, Any]]:
    found = _parsed(path, text, 1)
    if isinstance(found, Mapping) and found and all(isinstance(one, Mapping) for one in found.values()):
        return [{"name": name, **one} for name, one in found.items()]
    return found if isinstance(found, list) else [found]


def _parsed(path: Path, text: str, first: int) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        line = first + error.lineno - 1
        raise SourceError(f"{path}: is no JSON at line {line}, column {error.colno} ({error.msg}); mend it") from error


def _records(rows: Iterable[Any], said: list[str], path: Path) -> Records:
    found = list(rows)
    if not found or not all(isinstance(row, Mapping) for row in found):
        raise SourceError(f'{path}: must hold records with names, such as {{"text": "..."}}; write it so')
    names = dict.fromkeys(str(name) for row in found for name in row)
    return Records({name: [_word(row.get(name)) for row in found] for name in names}, said)


def _of_folder(path: Path) -> Records:
    """Each text file is a text; those of a folder below are labelled by its name."""
    files = sorted(file for file in path.rglob("*") if file.name.lower().endswith(TEXTS) and file.is_file())
    if not files:
        raise SourceError(f"{path}: holds no file of {', '.join(TEXTS)}; check the path")
    texts, said = [], list[str]()
    for file in files:
        text, more = decoded(file)
        texts.append(text)
        said += [f"{file.name}: {line}" for line in more]
    columns = {"text": texts, "file": [str(file.relative_to(path)) for file in files]}
    folders = [file.parent.name if file.parent != path else "" for file in files]
    return Records(columns | ({"label": folders} if any(folders) else {}), said[:5])


def is_database(data: str) -> bool:
    """Return whether a URL names a database."""
    return urlsplit(data).scheme.partition("+")[0] in SCHEMES


def read_database(url: str) -> Records:
    """Read the table or the query that a URL of SQLAlchemy names: `sqlite:///ads.db?table=ads`, `...?query=SELECT ...`.

    Raises SourceError where the database cannot be read, or holds several tables and none is named.
    """
    import sqlalchemy as sa

    parts = urlsplit(url)
    options = dict(parse_qsl(parts.query))
    table, query = options.pop("table", ""), options.pop("query", "")
    rest = "&".join(f"{name}={value}" for name, value in options.items())
    plain = urlunsplit(parts._replace(query=rest))
    # urlunsplit drops slashes of an empty host: sqlite:///a.db
    plain = url.partition("?")[0] + (f"?{rest}" if rest else "")
    shown = plain.rpartition("@")[2]
    if parts.scheme.startswith("sqlite") and not Path(plain.partition("///")[2]).is_file():
        raise SourceError(f"{plain}: no such file; check the path")
    try:
        engine = sa.create_engine(plain)
        with engine.connect() as connection:
            tables, views = sa.inspect(engine).get_table_names(), sa.inspect(engine).get_view_names()
            if not query:
                there, wanted = tables + views, table
                table = wanted or (tables[0] if len(tables) == 1 else "")
                if table not in there:
                    asks = f"there is no table {wanted!r}" if wanted else "which table? add ?table=NAME"
                    raise SourceError(f"{shown}: {asks}; there are: {', '.join(there) or 'none'}")
                chosen: Any = sa.select(sa.Table(table, sa.MetaData(), autoload_with=engine))
            else:
                chosen = sa.text(query)
            rows = [dict(row) for row in connection.execute(chosen).mappings()]
    except (sa.exc.SQLAlchemyError, ModuleNotFoundError) as error:
        first = str(error).splitlines()[0]
        raise SourceError(f"{shown}: cannot be read ({first}); check the URL, or wait where it is locked") from error
    if not rows:
        raise SourceError(f"{shown}: the table has no row; check the query")
    return Records({str(name): [_word(row[name]) for row in rows] for name in rows[0]}, [])


def _word(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else str(value)
