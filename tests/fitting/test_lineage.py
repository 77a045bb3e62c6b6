"""Lineage: a file that a model has learned from is known again by its content."""

from pathlib import Path

from lynkeus.fitting.lineage import learned_from, lineage_of
from lynkeus.sources import open_source


def test_files_that_were_learned_from_are_known_wherever_they_lie(tmp_path: Path) -> None:
    seen, moved, other, absent = (tmp_path / name for name in ("a.csv", "b.csv", "c.csv", "d.csv"))
    seen.write_text("x,y\n1,2\n3,4\n")
    moved.write_bytes(seen.read_bytes())
    other.write_text("x,y\n1,2\n3,5\n")
    lineage = lineage_of(open_source(seen), "table", {})
    said = learned_from(lineage, [seen, moved, other, absent])
    assert [line.partition(": table has learned from this file")[0] for line in said] == [str(seen), str(moved)]
    assert learned_from({"data": "sim://jets"}, [seen]) == []
