"""Opinions: one table for alarms, images and runs, in new stores and in those from before it."""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa

from lynkeus.core import Alarm, RunRecord, StoreError, Verdict
from lynkeus.monitor import run_records, tables
from lynkeus.monitor.human_labels import human_labels
from lynkeus.monitor.opinions import Opinion, add_opinion, opinions
from lynkeus.monitor.records import Commit, Monitor, Owner, ResumePoint
from lynkeus.monitor.run_records import RunFilter
from lynkeus.monitor.store import Store

SAVED = Path(__file__).parents[1] / "fixtures" / "saved_by_0.1.zip"
FILE = "1/area [SS] <b>.jpg"


def fill(store: Store) -> None:
    """Four closed alarms, one that is open, and three runs that two models judged."""
    owner = Owner.here()
    store.claim(Monitor("line", outputs=("anomaly",)), owner)
    alarms = [Alarm("anomaly", k * 100, k * 100, 9.0, 0.1, end_ns=k * 100 + 50) for k in range(1, 6)]
    opened = tuple((replace(alarm, end_ns=None), {}) for alarm in alarms)
    store.commit("line", owner, Commit(ResumePoint(600, 600), opened=opened, closed=tuple(alarms[:4])))
    store.release("line", owner, finished=True)
    said = {"verdict": Verdict.BAD, "p_value": 1e-4, "score": 4.0, "changes": (), "reason": "odd", "events": 100.0}
    runs = [RunRecord(run, **said, model=model) for run in ("r1", "r2", "r3") for model in ("m", "n")]
    run_records.add_runs(store, runs)


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    kept = Store(store_url)
    fill(kept)
    yield kept
    kept.close()


def add_as_before(store: Store) -> None:
    """What people said while there were three tables, and no other."""
    with store.engine.begin() as connection:
        tables.opinion.drop(connection)
        for alarm_id, said in ((1, "not real"), (1, "real"), (2, "not real"), (3, "unsure")):
            row = {"alarm_id": alarm_id, "verdict": said, "who": "A", "note": "cable", "at_ns": 10 + alarm_id}
            connection.execute(tables.verdict.insert(), row)
        for file, said in ((FILE, "defect"), ("b.jpg", "good")):
            row = {"images": "/data/a", "file": file, "label": said, "class_name": "pit", "note": "", "who": "A"}
            connection.execute(tables.image_label.insert(), row | {"at_ns": 20})
        for number, said in ((1, "bad"), (3, "good")):  # r1 and r2 of m
            row = {"run_id": number, "verdict": said, "reason": "log", "who": "A", "at_ns": 30}
            connection.execute(tables.run_override.insert(), row)


def test_what_is_said_is_appended_and_read_back(store: Store) -> None:
    said = [
        Opinion("image", "/data/a", FILE, "defect", "A", "pit", "near the weld"),
        Opinion("image", "/data/a", FILE, "good", "B"),
        Opinion("image", "/data/b", FILE, "unsure", "A"),
        Opinion("run", "m", "r1", "good", "A", note="seen in the log"),
        Opinion("alarm", "line", "2", "real", "A"),
    ]
    for one in said:
        add_opinion(store, one)
    assert opinions(store, "image") == said[:3]
    assert opinions(store, "image", "/data/a") == said[:2]
    assert opinions(store, "image", "/data/b", FILE) == said[2:3]
    assert opinions(store, "image", "/data/a", "other.jpg") == []
    assert opinions(store, "run") == said[3:4]
    assert opinions(store, "alarm", "line") == said[4:]
    file = store.alarm(2)
    assert file is not None
    assert (file.stored.verdict, [one.who for one in file.verdicts]) == ("real", ["A"])
    assert {one.id: one.verdict for one in store.alarms()} == {1: None, 2: "real", 3: None, 4: None, 5: None}
    (listed,) = run_records.runs(store, RunFilter("m", search="r1"))[0]
    assert (listed.verdict, listed.override) == (Verdict.GOOD, said[3])
    (other,) = run_records.runs(store, RunFilter("n", search="r1"))[0]
    assert other.override is None


@pytest.mark.parametrize(
    ("said", "says"),
    [
        (Opinion("alarm", "line", "1", "maybe", "A"), "verdict 'maybe' is not one of real, not real, unsure"),
        (Opinion("image", "/a", "x.jpg", "real", "A"), "label 'real' is not one of good, defect, unsure"),
        (Opinion("run", "m", "r1", "defect", "A", note="x"), "'defect' is not one of good, warn, bad, not enough data"),
        (Opinion("run", "m", "r1", "good", "A", note=" "), "an opinion on a run needs a reason"),
        (Opinion("run", "m", "r9", "good", "A", note="x"), "no run r9 of 'm' in"),
        (Opinion("alarm", "line", "12", "real", "A"), "no alarm 12 of 'line' in"),
        (Opinion("alarm", "other", "1", "real", "A"), "no alarm 1 of 'other' in"),
        (Opinion("alarm", "line", "one", "real", "A"), "no alarm one of 'line' in"),
    ],
)
def test_what_makes_no_sense_is_refused(store: Store, said: Opinion, says: str) -> None:
    with pytest.raises(StoreError, match=says):
        add_opinion(store, said)
    assert opinions(store, said.what) == []


def test_a_store_from_before_keeps_what_was_said_and_new_opinions_come_after(store: Store, store_url: str) -> None:
    add_as_before(store)
    rows_before = rows(store)
    again = Store(store_url)
    assert [(said.name, said.label) for said in opinions(again, "alarm", "line")] == [
        ("1", "not real"), ("1", "real"), ("2", "not real"), ("3", "unsure"),
    ]  # fmt: skip
    assert opinions(again, "image") == [
        Opinion("image", "/data/a", FILE, "defect", "A", "pit", "", 20),
        Opinion("image", "/data/a", "b.jpg", "good", "A", "pit", "", 20),
    ]
    assert {run.record.run: run.verdict.value for run in run_records.runs(again, RunFilter("m"))[0]} == {
        "r1": "bad", "r2": "good", "r3": "bad",
    }  # fmt: skip
    assert [one.record.run for one in run_records.runs(again, RunFilter("m", "flagged"))[0]] == ["r3", "r1"]
    add_opinion(again, Opinion("image", "/data/a", FILE, "unsure", "B", at_ns=1))  # a clock that is wrong does no harm
    again.add_verdict(1, "unsure", "B")
    add_opinion(again, Opinion("run", "m", "r2", "warn", "B", note="look again"))
    assert [said.label for said in opinions(again, "image", name=FILE)] == ["defect", "unsure"]
    assert {one.id: one.verdict for one in again.alarms()}[1] == "unsure"
    (listed,) = run_records.runs(again, RunFilter("m", search="r2"))[0]
    assert (listed.verdict, listed.override.who) == (Verdict.WARN, "B")
    assert rows(again) == rows_before  # the tables of before are left as they are
    again.close()


def rows(store: Store) -> list[list[tuple]]:
    before = (tables.verdict, tables.image_label, tables.run_override)
    with store.reading() as connection:
        return [[tuple(row) for row in connection.execute(sa.select(table))] for table in before]


def test_everything_that_was_said_is_learned_from(store: Store, store_url: str) -> None:
    if store_url.startswith("sqlite"):
        with pytest.raises(StoreError, match=r"nobody said in .* what is good and what is not"):
            human_labels(store_url)
    add_as_before(store)
    Store(store_url).close()  # which makes the table that is missing
    for alarm_id, said in ((4, "real"), (5, "real")):
        store.add_verdict(alarm_id, said, "B")
    for image, label in (("b.jpg", "defect"), ("c.jpg", "good"), ("d.jpg", "good"), ("d.jpg", "unsure")):
        add_opinion(store, Opinion("image", "/data/a", image, label, "B"))
    for model, run, label in (("n", "r1", "good"), ("m", "r3", "warn")):
        add_opinion(store, Opinion("run", model, run, label, "B", note="x"))
    found = human_labels(store_url)
    assert found.intervals == ((100, 150, 1), (200, 250, 0), (400, 450, 1))
    assert found.images == {Path("/data/a", FILE): 1, Path("/data/a/b.jpg"): 1, Path("/data/a/c.jpg"): 0}
    assert found.runs == {"r1": 0, "r2": 0}
    assert found.messages == (
        "alarms of 'line': 1 not real, 2 real; left out 1 unsure",
        "alarms of 'line': 1 still open, left out",
        "images: 2 defect, 1 good; left out 1 unsure",
        "runs: 2 good; left out 1 warn",
    )


def test_opinions_of_images_alone_are_enough(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'labels.db'}"
    kept = Store(url)
    add_opinion(kept, Opinion("image", "/data/a", FILE, "defect", "A"))
    kept.close()
    found = human_labels(url)
    assert (found.intervals, found.runs, list(found.images.values())) == ((), {}, [1])
    with pytest.raises(StoreError, match="no monitor 'line'; it holds none"):
        human_labels(url, "line")


def test_the_store_that_an_earlier_version_wrote_teaches_the_same(tmp_path: Path) -> None:
    with zipfile.ZipFile(SAVED) as archive:
        archive.extract("store.db", tmp_path)
    shutil.copy(tmp_path / "store.db", tmp_path / "copy.db")
    url = f"sqlite:///{tmp_path / 'store.db'}"
    found = human_labels(url)
    assert [label for *_, label in found.intervals] == [1]
    assert {path.name: label for path, label in found.images.items()} == {"a.png": 1}
    assert found.runs == dict.fromkeys(found.runs, 0)
    assert len(found.runs) == 1
    with (
        sa.create_engine(url).connect() as after,
        sa.create_engine(f"sqlite:///{tmp_path / 'copy.db'}").connect() as old,
    ):
        for name in ("verdict", "image_label", "run_override", "alarm_opened", "run_judged"):
            query = sa.text(f"SELECT * FROM {name} ORDER BY 1")
            assert after.execute(query).all() == old.execute(query).all()
