"""A journal: kills, full disks, changed models and files; what was judged is not judged again."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lynkeus.core import SourceError
from lynkeus.files.journal import Journal, stamp_of

HEAD = {"model": "abc", "false_alarms": 0.01, "shape": (2, 3)}
SAMPLES = [(name, (10, number)) for number, name in enumerate("cab")]


def rows(name: str, count: int = 1) -> list[dict[str, object]]:
    return [{"run": name, "part": part, "p": float("nan") if part else 0.25} for part in range(count)]


def filled(output: Path, *names: str) -> Journal:
    journal = Journal.open(output, HEAD, SAMPLES)
    for name in names:
        journal.add(name, dict(SAMPLES)[name], rows(name, 2))
        journal.commit()
    return journal


def test_it_goes_on_in_the_order_of_the_samples(tmp_path: Path) -> None:
    output = tmp_path / "new" / "verdicts.parquet"
    filled(output, "b", "c")
    journal = Journal.open(output, HEAD, SAMPLES)
    assert [name in journal for name in "abc"] == [False, True, True]
    assert (len(journal), journal.left(), journal.left("ab")) == (2, ["a"], ["a"])
    journal.add("a", (10, 1), rows("a"))
    assert [(row["run"], row["part"]) for row in journal.rows] == [("c", 0), ("c", 1), ("a", 0), ("b", 0), ("b", 1)]
    assert repr(journal.rows[:2]) == repr(rows("c", 2))
    journal.commit()
    assert not Journal.open(output, HEAD, SAMPLES).left()
    journal.remove()
    journal.remove()
    assert not list(output.parent.iterdir())


def test_what_was_not_committed_is_judged_again(tmp_path: Path) -> None:
    journal = filled(tmp_path / "t", "a")
    journal.add("b", (10, 2), rows("b"))
    assert Journal.open(tmp_path / "t", HEAD, SAMPLES).left() == ["c", "b"]


def test_another_head_begins_afresh(tmp_path: Path) -> None:
    filled(tmp_path / "t", "a", "b")
    other = Journal.open(tmp_path / "t", HEAD | {"model": "abd"}, SAMPLES)
    assert other.left() == ["c", "a", "b"]
    assert not other.rows
    assert Journal.open(tmp_path / "t", HEAD, SAMPLES).left() == ["c", "a", "b"]


def test_a_changed_or_removed_file_is_forgotten(tmp_path: Path) -> None:
    filled(tmp_path / "t", "a", "b", "c")
    now = [("b", (10, 2)), ("a", (10, 99)), ("d", ())]
    journal = Journal.open(tmp_path / "t", HEAD, now)
    assert journal.left() == ["a", "d"]
    assert [row["run"] for row in journal.rows] == ["b", "b"]
    journal.add("d", (), rows("d"))
    journal.commit()
    assert Journal.open(tmp_path / "t", HEAD, now).left() == ["a"]


def test_a_file_that_changes_while_it_is_judged_is_judged_again(tmp_path: Path) -> None:
    file = tmp_path / "run1"
    file.write_text("one")
    before = stamp_of(file)
    journal = Journal.open(tmp_path / "t", HEAD, [("run1", before)])
    file.write_text("another")
    journal.add("run1", before, rows("run1"))
    journal.commit()
    assert stamp_of(file) != before
    assert Journal.open(tmp_path / "t", HEAD, [("run1", stamp_of(file))]).left() == ["run1"]
    assert stamp_of(None) == []


def test_a_line_cut_at_any_byte_loses_only_its_sample(tmp_path: Path) -> None:
    path = filled(tmp_path / "t", "c", "a", "b").path
    whole = path.read_bytes()
    ends = [at for at, byte in enumerate(whole) if byte == ord("\n")]
    for size in [*range(0, len(whole), 7), *(end + more for end in ends for more in (0, 1))]:
        path.write_bytes(whole[:size])
        journal = Journal.open(tmp_path / "t", HEAD, SAMPLES)
        done = max(0, sum(end < size for end in ends) - 1)
        assert journal.left() == list("cab")[done:], size
        journal.add("b", (10, 2), rows("b", 2))
        journal.commit()
        assert "b" in Journal.open(tmp_path / "t", HEAD, SAMPLES)


@pytest.mark.parametrize("content", ["", "{}\n", '"words"\n', '{"file": 1}\n{"file": 2}\n', "\n\n", "no JSON\n"])
def test_a_file_that_is_no_journal_is_begun_afresh(tmp_path: Path, content: str) -> None:
    (tmp_path / "t.journal").write_text(content)
    assert len(Journal.open(tmp_path / "t", HEAD, SAMPLES).left()) == 3
    (tmp_path / "t.journal").write_text(json.dumps({**HEAD, "shape": [2, 3]}) + "\n" + content)
    assert len(Journal.open(tmp_path / "t", HEAD, SAMPLES).left()) == 3


def test_after_a_full_disk_the_same_journal_goes_on(tmp_path: Path) -> None:
    journal = filled(tmp_path / "t", "a")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (journal.path.stat().st_size + 20, hard))
    try:
        journal.add("b", (10, 2), rows("b"))
        with pytest.raises(SourceError, match=r"t\.journal: cannot be written \(.*\); mend that .* it goes on"):
            journal.commit()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, before)
    journal.add("c", (10, 0), rows("c"))
    journal.commit()
    assert not Journal.open(tmp_path / "t", HEAD, SAMPLES).left()


def test_a_killed_process_loses_at_most_what_it_was_writing(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from lynkeus.files.journal import Journal\n"
        "samples = [(str(k), (k,)) for k in range(100_000)]\n"
        "journal = Journal.open(Path(sys.argv[1]), {}, samples)\n"
        "for name in journal.left():\n"
        "    journal.add(name, (int(name),), [{'n': int(name), 'text': 'x' * 5000}]); journal.commit()\n"
    )
    output = tmp_path / "t"
    process = subprocess.Popen([sys.executable, "-c", code, str(output)])
    until = time.monotonic() + 30
    path = tmp_path / "t.journal"
    while (not path.exists() or path.stat().st_size < 100_000) and time.monotonic() < until:
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    journal = Journal.open(output, {}, [(str(k), (k,)) for k in range(100_000)])
    done = len(journal)
    assert done >= 19
    assert [row["n"] for row in journal.rows] == list(range(done))
    assert journal.left()[0] == str(done)
