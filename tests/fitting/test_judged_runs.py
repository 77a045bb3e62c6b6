"""Judging of runs: sections, and a journal that survives a kill."""

import json
from pathlib import Path

import numpy as np
import pytest

from lynkeus.core import Verdict
from lynkeus.fitting.fit_runs import RunFitSettings, fit_runs, judge_runs, verdict_row
from lynkeus.fitting.fitted_runs import FittedRuns
from lynkeus.fitting.run_journal import RunJournal
from lynkeus.sources.runs.events import Events
from lynkeus.sources.runs.folder import RunFile, open_runs

SECTIONS, FAULTY = 20, (8, 9, 10)


def _events(seed: int, count: int = 400, faulty: tuple[int, ...] = (), dead: tuple[int, ...] = ()) -> Events:
    """A line on a continuum, in sections; in faulty ones the line is higher by half its width."""
    rng = np.random.default_rng(seed)
    lumi = np.sort(rng.integers(0, SECTIONS, count))
    lumi = lumi[~np.isin(lumi, dead)]
    line = rng.random(len(lumi)) < 0.5
    moved = 1.5 * np.isin(lumi, faulty)
    energy = np.where(line, rng.normal(40 + moved, 2), rng.uniform(5, 80, len(lumi)))
    return {"energy": energy, "lumi": lumi}


def _file(name: str, events: Events) -> RunFile:
    return RunFile(name, lambda: iter([events]))


def _silent(what: str, share: float | None) -> None: ...


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("model") / "m"
    files = [_file(f"good {seed}", _events(seed)) for seed in range(100)]
    fit_runs(files, RunFitSettings("binned_chi2"), _silent).fitted.save(folder)
    return folder


def test_a_fault_of_three_sections_is_found_in_them(model: Path) -> None:
    fitted = FittedRuns.load(model)
    assert fitted.columns.names == ("energy",)
    verdicts = np.zeros(SECTIONS)
    for seed in range(3):
        run = _file("run", _events(1000 + seed, 8000, FAULTY))
        *sections, whole = judge_runs(fitted, [run], _silent, section="lumi")
        assert [record.run for record in sections] == [f"run/{k}" for k in range(SECTIONS)]
        assert whole.run == "run"
        verdicts += [record.verdict in (Verdict.WARN, Verdict.BAD) for record in sections]
    before, after = verdicts[: FAULTY[0]], verdicts[FAULTY[-1] + 3 :]
    assert verdicts[FAULTY[-1]] >= 2
    assert before.sum() + after.sum() <= 2
    together = judge_runs(fitted, [_file("run", _events(1000, 8000, FAULTY))], _silent, section="lumi")
    assert any(record.reason.startswith("with the 2 before it: ") for record in together)


def test_sections_that_are_dead_or_short_are_not_judged(model: Path) -> None:
    fitted = FittedRuns.load(model)
    *sections, whole = judge_runs(fitted, [_file("run", _events(7, 8000, dead=(4, 5)))], _silent, section="lumi")
    assert [record.run for record in sections if record.verdict == Verdict.NOT_ENOUGH_DATA] == ["run/4", "run/5"]
    assert whole.verdict == Verdict.GOOD
    short = list(judge_runs(fitted, [_file("run", _events(7, 100))], _silent, section="lumi"))
    assert {record.verdict for record in short[:-1]} == {Verdict.NOT_ENOUGH_DATA}


def test_sections_that_cannot_be_cut_are_said(model: Path) -> None:
    records = list(judge_runs(FittedRuns.load(model), [_file("run", _events(7))], _silent, section="minute"))
    assert [record.run for record in records] == ["run"]
    assert "there is no column 'minute'" in records[0].messages[0]


def _written(folder: Path, count: int) -> list[RunFile]:
    files = []
    for k in range(count):
        path = folder / f"{k}.csv"
        events = _events(k)
        rows = np.stack([events["energy"], events["lumi"] // 7], axis=1)
        np.savetxt(path, rows, delimiter=",", header="energy,lumi", comments="")
        files += open_runs(path)
    return files


def _judge(model: Path, journal: RunJournal, files: list[RunFile], most: int = 99) -> list[str]:
    """Names of the runs that were judged, until a kill after some of them."""
    judged = []
    for record in judge_runs(FittedRuns.load(model), journal.left(files)[:most], _silent, section="lumi"):
        journal.add(verdict_row(record))
        if record.run in journal.runs:
            journal.commit()
            judged.append(record.run)
    return judged


def test_a_killed_judging_goes_on(model: Path, tmp_path: Path) -> None:
    files, output = _written(tmp_path, 6), tmp_path / "v.parquet"
    expected = RunJournal.open(tmp_path / "other.parquet", model, files)
    assert _judge(model, expected, files) == list("012345")

    assert _judge(model, RunJournal.open(output, model, files), files, most=4) == list("0123")
    path = output.with_name("v.parquet.journal")
    with path.open("a", encoding="utf-8") as file:
        file.write('{"run": "4", "stamp": [1')  # cut by the kill
    files[1].path.write_text("energy,lumi\n1.0,1\n", encoding="utf-8")  # and one run was written again
    again = RunJournal.open(output, model, files)
    assert _judge(model, again, files) == list("145")
    names = [row["run"] for row in again.rows]
    assert [name for name in names if "/" not in name] == list("012345")
    assert names.index("0/0") == 1
    same = [(a, b) for a, b in zip(_others(again), _others(expected), strict=True)]
    assert all(json.dumps(a) == json.dumps(b) for a, b in same)
    again.remove()
    assert not path.exists()


def _others(journal: RunJournal) -> list[dict]:
    return [row for row in journal.rows if row["run"].partition("/")[0] != "1"]


def test_a_journal_of_other_settings_or_another_model_is_not_believed(model: Path, tmp_path: Path) -> None:
    files = _written(tmp_path, 3)
    _judge(model, RunJournal.open(tmp_path / "v", model, files, false_alarms=0.01), files)
    assert len(RunJournal.open(tmp_path / "v", model, files, false_alarms=0.01).runs) == 3
    assert not RunJournal.open(tmp_path / "v", model, files, false_alarms=0.05).runs
    _judge(model, RunJournal.open(tmp_path / "v", model, files), files)
    other = tmp_path / "other"
    fitted = FittedRuns.load(model)
    fitted.save(other)
    assert not RunJournal.open(tmp_path / "v", other, files).runs
