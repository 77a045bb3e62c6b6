"""Judging of runs: sections, and a journal that survives a kill."""

import contextlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from lynkeus.core import Finding, RunRecord, Verdict
from lynkeus.core.run_calibration import RunCalibration
from lynkeus.fitting.answer import Answer
from lynkeus.fitting.fit import FitSettings, fit
from lynkeus.fitting.fitted import Fitted
from lynkeus.fitting.score import ScoreSettings, score
from lynkeus.fitting.verdicts import RunVerdicts
from lynkeus.sources.runs.events import Events
from lynkeus.sources.runs.folder import RunFile, open_runs
from lynkeus.sources.runs.read import RunFolder

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
    fit(RunFolder(files), FitSettings("binned_chi2")).save(folder)
    return folder


def test_a_good_run_of_many_sigmas_says_how_odd_good_runs_are(model: Path) -> None:
    verdicts = RunVerdicts(Fitted.load(model))
    (batch,) = verdicts.view.of(RunFolder([_file("run", _events(5))]))
    found = Finding("shifted", "energy", "energy", "energy 38 to 44", 1.0, "", 12.1)
    for p_value, verdict in ((0.04, Verdict.GOOD), (0.005, Verdict.WARN)):
        said = Answer(3.0, p_value, (found,), "energy: shifted (12.1 sigma)")
        record = verdicts.record(batch, said)
        assert record.verdict == verdict
        more = "; the 100 good runs differ by more than their counts: one is as odd once in 25"
        assert record.reason == said.reason + (more if verdict == Verdict.GOOD else "")
    few = replace(verdicts.fitted, calibrations={"anomaly": RunCalibration(10, levels=(0.3,) * 10, theory=True)})
    reason = RunVerdicts(few).record(batch, Answer(3.0, 0.02, (found,), "energy: shifted (12.1 sigma)")).reason
    assert reason.endswith("good runs are too few to know how rare that is: one is as odd once in 50")


def test_a_fault_of_three_sections_is_found_in_them(model: Path) -> None:
    fitted = Fitted.load(model)
    assert fitted.view.columns.names == ("energy",)
    verdicts = np.zeros(SECTIONS)
    for seed in range(3):
        run = _file("run", _events(1000 + seed, 8000, FAULTY))
        *sections, whole = RunVerdicts(fitted, section="lumi").of([run], _silent)
        assert [record.run for record in sections] == [f"run/{k}" for k in range(SECTIONS)]
        assert whole.run == "run"
        verdicts += [record.verdict in (Verdict.WARN, Verdict.BAD) for record in sections]
    before, after = verdicts[: FAULTY[0]], verdicts[FAULTY[-1] + 3 :]
    assert verdicts[FAULTY[-1]] >= 2
    assert before.sum() + after.sum() <= 2
    together = RunVerdicts(fitted, section="lumi").of([_file("run", _events(1000, 8000, FAULTY))], _silent)
    assert any(record.reason.startswith("with the 2 before it: ") for record in together)


def test_sections_that_are_dead_or_short_are_not_judged(model: Path) -> None:
    fitted = Fitted.load(model)
    *sections, whole = RunVerdicts(fitted, section="lumi").of([_file("run", _events(7, 8000, dead=(4, 5)))], _silent)
    assert [record.run for record in sections if record.verdict == Verdict.NOT_ENOUGH_DATA] == ["run/4", "run/5"]
    assert whole.verdict == Verdict.GOOD
    short = list(RunVerdicts(fitted, section="lumi").of([_file("run", _events(7, 100))], _silent))
    assert {record.verdict for record in short[:-1]} == {Verdict.NOT_ENOUGH_DATA}


def test_sections_that_cannot_be_cut_are_said(model: Path) -> None:
    records = list(RunVerdicts(Fitted.load(model), section="minute").of([_file("run", _events(7))], _silent))
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


def _judge(model: Path, output: Path, files: list[RunFile], most: int = 99, **settings: Any) -> list[str]:
    """Names of the runs that were judged, until a kill after some of them."""
    judged: list[str] = []

    def kept(record: RunRecord) -> bool:
        if "/" not in record.run:
            if len(judged) == most:
                raise KeyboardInterrupt
            judged.append(record.run)
        return True

    whole = ScoreSettings(output, section="lumi", keep=kept, **settings)
    with contextlib.suppress(KeyboardInterrupt):
        score(Fitted.load(model), model, RunFolder(files), whole)
    return judged


def test_a_killed_judging_goes_on(model: Path, tmp_path: Path) -> None:
    files, output, other = _written(tmp_path, 6), tmp_path / "v.parquet", tmp_path / "other.parquet"
    assert _judge(model, other, files) == list("012345")

    assert _judge(model, output, files, most=4) == list("0123")
    path = output.with_name("v.parquet.journal")
    with path.open("a", encoding="utf-8") as file:
        file.write('{"name": "4", "stamp": [1')  # cut by the kill
    files[1].path.write_text("energy,lumi\n1.0,1\n", encoding="utf-8")  # and one run was written again
    assert _judge(model, output, files) == list("145")
    rows, expected = (pq.read_table(name).to_pylist() for name in (output, other))
    names = [row["run"] for row in rows]
    assert [name for name in names if "/" not in name] == list("012345")
    assert names.index("0/0") == 1
    same = zip(_others(rows), _others(expected), strict=True)
    assert all(json.dumps(a) == json.dumps(b) for a, b in same)
    assert not path.exists()


def _others(rows: list[dict]) -> list[dict]:
    return [row for row in rows if row["run"].partition("/")[0] != "1"]


def test_a_journal_of_other_settings_or_another_model_is_not_believed(model: Path, tmp_path: Path) -> None:
    files, output = _written(tmp_path, 4), tmp_path / "v.parquet"

    def judged_again(model: Path, **settings: Any) -> int:
        output.with_name("v.parquet.journal").unlink(missing_ok=True)
        assert len(_judge(tmp_path / "m", output, files, most=2)) == 2
        return len(_judge(model, output, files, **settings))

    Fitted.load(model).save(tmp_path / "m")
    assert judged_again(tmp_path / "m") == 2
    assert judged_again(tmp_path / "m", false_alarms=0.05) == 4
    fitted = Fitted.load(model)
    fitted.lineage["fitted_at"] = "later"
    fitted.save(tmp_path / "n")
    assert judged_again(tmp_path / "n") == 4
