"""Runs from the command line: good and bad input, one file of events or of histograms each."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import boost_histogram as bh
import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
import pytest
from boost_histogram.serialization import to_uhi

from lynkeus.fitting.fit import FitSettings, fit
from lynkeus.sources.runs.folder import open_runs
from lynkeus.sources.runs.read import RunFolder

Run = Callable[..., Any]
Columns = dict[str, np.ndarray]
GOOD, EVENTS = 24, 300
pytestmark = pytest.mark.slow(0.2)  # each
NAME = 'S2 "a" <b>[SS]</b> é'


class Models(NamedTuple):
    """`events`: a folder of good runs, with models of them by two scorers; `histograms`: the same filled into plots."""

    events: Path
    population: Path
    chi2: Path
    histograms: Path
    of_histograms: Path


def drawn(seed: int, count: int = EVENTS, shift: float = 0.0) -> Columns:
    rng = np.random.default_rng(seed)
    line = rng.random(count) < 0.3
    energy = np.where(line, rng.normal(41.5 + shift, 2, count), rng.uniform(5, 80, count))
    return {"energy": energy, "depth": rng.normal(shift, 10, count)}


def write(path: Path, columns: Columns) -> Path:
    pq.write_table(pa.table(columns), path)
    return path


def filled(columns: Columns, bins: int = 20) -> dict[str, bh.Histogram]:
    weight = columns.get("weight")
    energy = bh.Histogram(bh.axis.Regular(bins, 0, 90))
    both = bh.Histogram(bh.axis.Regular(8, 0, 90), bh.axis.Variable([-30, -10, 0, 10, 30]))
    energy.fill(columns["energy"], weight=weight)
    both.fill(columns["energy"], columns["depth"], weight=weight)
    return {NAME: energy, "S2/energy : depth": both}


def write_root(path: Path, plots: dict[str, Any]) -> Path:
    uproot = pytest.importorskip("uproot", reason="ROOT files need lynkeus[hep]")
    with uproot.recreate(path) as file:
        for name, plot in plots.items():
            file[name] = plot
    return path


def write_json(path: Path, plots: dict[str, Any]) -> Path:
    listed = {name: to_uhi(plot) for name, plot in plots.items()}
    path.write_text(json.dumps(listed, default=lambda array: array.tolist()), encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Models:
    folder = tmp_path_factory.mktemp("runs")
    found = Models(*(folder / name for name in Models._fields))
    for kind in (found.events, found.histograms):
        kind.mkdir()
    for seed in range(GOOD):
        columns = drawn(seed)
        write(found.events / f"run {seed:02}.parquet", columns)
        write_json(found.histograms / f"run {seed:02}.json", filled(columns))
    for data, scorer, model in (
        (found.events, "population", found.population),
        (found.events, "binned_chi2", found.chi2),
        (found.histograms, "binned_chi2", found.of_histograms),
    ):
        fit(RunFolder(open_runs(data)), FitSettings(scorer)).save(model)
    return found


@pytest.fixture
def judge(lynkeus: Run, tmp_path: Path) -> Callable[..., dict[str, dict[str, Any]]]:
    """The rows of the table of verdicts, by run."""

    def judged(model: Path, data: object = "runs", *options: object) -> dict[str, dict[str, Any]]:
        done = lynkeus("score", model, data, "--run-per-file", "-o", "v.parquet", *options)
        assert done.code == 0, done
        assert sorted(path.name for path in tmp_path.glob("v.parquet*")) == ["v.parquet"]
        return {row["run"]: row for row in pq.read_table("v.parquet").to_pylist()}

    return judged


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    folder = tmp_path / "runs"
    folder.mkdir()
    for seed in (100, 101, 102):
        write(folder / f"{seed}.parquet", drawn(seed))
    return folder


@pytest.mark.slow(4)
def test_a_folder_of_events_from_fit_to_page(lynkeus: Run, models: Models, judge: Run, tmp_path: Path) -> None:
    assert lynkeus("fit", models.events, "--run-per-file", "-s", "binned_chi2", "-o", "m").code == 0
    write(tmp_path / "moved.parquet", drawn(200, 3000, shift=6.0))
    row = judge("m", "moved.parquet")["moved"]
    assert (row["verdict"], row["change"]) == ("BAD", "shifted")
    assert row["p_value"] < 0.001
    assert lynkeus("report", "m", "moved.parquet", "-o", "run.html").code == 0
    assert "moved" in Path("run.html").read_text(encoding="utf-8")


def _columns(**changed: Any) -> Callable[[Path], Path]:
    return lambda path: write(path.with_suffix(".parquet"), drawn(7) | changed)


def _without_depth(path: Path) -> Path:
    return write(path.with_suffix(".parquet"), {"energy": drawn(7)["energy"], "z": drawn(7)["depth"]})


def _bytes(suffix: str, content: bytes) -> Callable[[Path], Path]:
    def written(path: Path) -> Path:
        path.with_suffix(suffix).write_bytes(content)
        return path.with_suffix(suffix)

    return written


def _truncated(suffix: str) -> Callable[[Path], Path]:
    def written(path: Path) -> Path:
        whole = path.with_suffix(".whole")
        if suffix == ".root":
            write_root(whole, {"events": drawn(7)})
        else:
            write(whole, drawn(7))
        path.with_suffix(suffix).write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
        return path.with_suffix(suffix)

    return written


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        (_bytes(".parquet", b""), "the file is empty (0 bytes)"),
        (_bytes(".csv", b"energy,depth\n"), "holds no events"),
        (_bytes(".csv", b"energy,depth\n1.0,2.0\n3.0\n4.0,5.0\n"), "mend that line"),
        (_bytes(".parquet", b"not Parquet at all\n" * 9), "is not a complete Parquet file"),
        (_bytes(".h5", b"not HDF5 at all\n" * 9), "is not a complete HDF5 file"),
        (_truncated(".parquet"), "is not a complete Parquet file"),
        (_truncated(".root"), "is it still being written?"),
        (lambda path: write_root(path.with_suffix(".root"), filled(drawn(7))), "holds no tree of events"),
        (lambda path: write(path.with_suffix(".parquet"), drawn(7, 0)), "holds no events"),
        (lambda path: write(path.with_suffix(".parquet"), drawn(7, 1)), "only 1 event"),
        (_without_depth, "lacks the column 'depth', which the good runs have; it has energy, z"),
        (_columns(depth=np.array(["far"] * EVENTS)), "the column 'depth' holds text"),
        (_columns(weight=np.full(EVENTS, -2.0)), "negative weights outweigh the others"),
        (_columns(weight=np.r_[np.nan, np.ones(EVENTS - 1)]), "the column 'weight' holds nan"),
        (_columns(weight=np.r_[np.ones(EVENTS - 1), np.nan]), "the column 'weight' holds nan"),
        (_columns(weight=np.array(["heavy"] * EVENTS)), "the column 'weight' holds text"),
        (_columns(weight=np.zeros(EVENTS)), "holds no events"),
    ],
)
def test_a_run_that_cannot_be_judged_does_not_stop_the_others(
    models: Models, judge: Run, runs: Path, bad: Callable[[Path], Path], says: str
) -> None:
    path = bad(runs / "bad")
    (runs / "bad.whole").unlink(missing_ok=True)
    for model in (models.population, models.chi2):
        rows = judge(model)
        assert rows["bad"]["verdict"] == "NOT ENOUGH DATA"
        assert says in rows["bad"]["reason"]
        assert rows["bad"]["change"] == "none"
        if "only 1" not in says:
            assert path.name in rows["bad"]["reason"]
        assert {rows[name]["verdict"] for name in ("100", "101", "102")} <= {"GOOD", "WARN"}


def test_what_a_run_has_beyond_the_good_ones_is_not_read(models: Models, judge: Run, runs: Path) -> None:
    write(runs / "more.parquet", drawn(100) | {"text": np.array(["a"] * EVENTS), "empty": np.full(EVENTS, np.nan)})
    rows = judge(models.chi2)
    assert rows["more"]["p_value"] == rows["100"]["p_value"]


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_numbers_are_missing(models: Models, judge: Run, runs: Path, value: float) -> None:
    columns = drawn(100)
    columns["depth"][:200] = value
    write(runs / "lost.parquet", columns)
    row = judge(models.population)["lost"]
    assert (row["verdict"], row["events"]) == ("BAD", EVENTS)
    assert "depth: 67% missing" in row["reason"]
    assert judge(models.chi2)["lost"]["events"] == EVENTS


@pytest.mark.parametrize(
    "name",
    ["S2 [SS]", "a 'b' \"c\"", "<script>alert(1)</script>".replace("/", "\\"), "100 %", "Lauf é 運", "a.b", "#1;x"],
)
def test_names_are_kept_as_they_are(lynkeus: Run, models: Models, judge: Run, runs: Path, name: str) -> None:
    path = runs / f"{name}.parquet"
    write(path, drawn(7))
    assert judge(models.chi2, path)[name]["events"] == EVENTS
    assert set(judge(models.chi2)) == {"100", "101", "102", name}
    assert lynkeus("report", models.chi2, path, "-o", "run.html").code == 0
    assert "<script>alert" not in Path("run.html").read_text(encoding="utf-8")


def test_two_files_of_one_name(lynkeus: Run, models: Models, runs: Path) -> None:
    pa_csv.write_csv(pa.table(drawn(100)), runs / "100.csv")
    line = lynkeus("score", models.chi2, runs, "--run-per-file", "-o", "v.parquet").line
    assert "the run '100' is there twice, also as 100.csv; rename or remove one" in line
    assert "the run '100' is there twice" in lynkeus("fit", runs, "--run-per-file", "-s", "kolmogorov", "-o", "m").line


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("score", "{chi2}", "nowhere", "--run-per-file", "-o", "v"), "nowhere: no run there; a run is a file of"),
        (("score", "{chi2}", "empty", "--run-per-file", "-o", "v"), "empty: no run there"),
        (("score", "{chi2}", "runs", "--run-per-file", "-o", "empty"), "empty is a folder"),
        (("score", "{chi2}", "runs", "--false-alarms", "0", "-o", "v"), "between 0 and 1, not 0"),
        (("score", "{chi2}", "runs", "--false-alarms", "2", "-o", "v"), "between 0 and 1, not 2"),
        (("score", "empty", "runs", "--run-per-file", "-o", "v"), "empty is not a model folder"),
        (("fit", "runs", "--run-per-file", "-s", "orbit", "-o", "m"), "orbit reads table or waveform, not runs"),
        (("fit", "runs", "--run-per-file", "-s", "no_such", "-o", "m"), "no_such"),
        (("fit", "runs", "--run-per-file", "-s", "binned_chi2", "-o", "m"), "only 3 good runs"),
        (("fit", "runs", "--run-per-file", "-s", "population", "-o", "m"), "needs 5 good runs"),
        (("fit", "runs", "--run-per-file", "-s", "population", "--group", "x", "-o", "m"), "the column of groups 'x'"),
        (("fit", "{histograms}", "--run-per-file", "-s", "population", "-o", "m"), "but these runs are histograms"),
        (("report", "{chi2}", "runs", "-o", "r.html"), "holds 3 runs; name one"),
        (("report", "{chi2}", "runs/no.csv", "-o", "r.html"), "no.csv: no run there"),
    ],
)  # fmt: skip
def test_what_cannot_be_done_is_said_in_one_line(
    lynkeus: Run, models: Models, runs: Path, tmp_path: Path, words: tuple[str, ...], says: str
) -> None:
    Path("empty").mkdir()
    assert says in lynkeus(*(word.format(**models._asdict()) for word in words)).line
    assert sorted(path.name for path in tmp_path.iterdir()) == ["empty", "runs"]


def test_a_model_that_is_not_of_runs(lynkeus: Run, orbits: Any, runs: Path) -> None:
    done = lynkeus("score", orbits.model, runs, "--run-per-file", "-o", "v.parquet")
    assert "is not a model of runs; fit one with lynkeus fit GOOD_RUNS --run-per-file" in done.line


@pytest.mark.parametrize("name", ["model.json", "reference.safetensors", "scorer/scorer.json"])
def test_a_damaged_model(lynkeus: Run, models: Models, runs: Path, tmp_path: Path, name: str) -> None:
    import shutil

    shutil.copytree(models.chi2, "m")
    files = sorted(path for path in Path("m").rglob("*") if path.is_file())
    chosen = (
        Path("m") / name if (Path("m") / name).exists() else next(path for path in files if path.parent.name != "m")
    )
    chosen.write_bytes(chosen.read_bytes()[:-7])
    assert "the model is damaged" in lynkeus("score", "m", runs, "--run-per-file", "-o", "v.parquet").line
    chosen.unlink()
    assert "missing" in lynkeus("score", "m", runs, "--run-per-file", "-o", "v.parquet").line


def test_good_runs_that_are_not_good(lynkeus: Run, models: Models, tmp_path: Path) -> None:
    folder = tmp_path / "reference"
    folder.mkdir()
    for seed in range(30):
        write(folder / f"{seed:02}.parquet", drawn(seed, 1000, shift=6.0 if seed in (3, 11, 20) else 0.0))
    _bytes(".csv", b"")(folder / "99")
    done = lynkeus("fit", folder, "--run-per-file", "-s", "binned_chi2", "-o", "m")
    assert "not like the others, and were left out: 03, 11, 20\n" in done.err
    assert "99.csv: the file is empty (0 bytes)" in done.err
    assert "27 good runs" in done.err


def test_good_runs_of_two_kinds(lynkeus: Run, tmp_path: Path) -> None:
    folder = tmp_path / "reference"
    folder.mkdir()
    for seed in range(30):
        write(folder / f"{seed:02}.parquet", drawn(seed, 1000, shift=6.0 * (seed % 2)))
    done = lynkeus("fit", folder, "--run-per-file", "-s", "binned_chi2", "-o", "m")
    assert "the good runs are of two kinds, 15 and 15 of them" in done.err


def test_columns_that_a_few_good_runs_lack(lynkeus: Run, models: Models, tmp_path: Path) -> None:
    folder = tmp_path / "reference"
    folder.mkdir()
    for seed in range(GOOD):
        more = {"rare": drawn(seed)["energy"]} if seed == 2 else {}
        write(folder / f"{seed:02}.parquet", drawn(seed) | more)
    _without_depth(folder / "05")
    write(folder / "06.parquet", drawn(6) | {"energy": np.array(["low"] * EVENTS)})
    done = lynkeus("fit", folder, "--run-per-file", "-s", "kolmogorov", "-o", "m")
    assert "05.parquet: lacks the column 'depth'" in done.err
    assert "06.parquet: the column 'energy' holds text" in done.err
    assert "left out 'rare': is not in most runs" in done.err
    assert f"{GOOD - 2} good runs" in done.err


def test_histograms_from_fit_to_page(lynkeus: Run, models: Models, judge: Run, tmp_path: Path) -> None:
    done = lynkeus("fit", models.histograms, "--run-per-file", "-s", "beta_binomial", "-o", "m")
    assert "2 plots a run" in done.err
    write_root(tmp_path / "moved.root", filled(drawn(200, 3000, shift=6.0)))
    row = judge("m", "moved.root")["moved"]
    assert row["verdict"] == "BAD"
    assert row["population"] in (NAME, "S2/energy : depth")  # the one that the scorer finds the oddest
    assert row["reason"].startswith(f"{row['population']}: ")
    assert lynkeus("report", "m", "moved.root", "-o", "run.html").code == 0
    assert "<b>[SS]" not in Path("run.html").read_text(encoding="utf-8")
    write_root(tmp_path / "good.root", filled(drawn(201)))
    assert judge("m", "good.root")["good"]["verdict"] in ("GOOD", "WARN")


def _changed(**plots: Any) -> dict[str, Any]:
    return filled(drawn(7)) | {NAME: plots["plot"]} if "plot" in plots else filled(drawn(7), **plots)


def _with(value: float) -> bh.Histogram:
    plot = filled(drawn(7))[NAME]
    plot[3] = value
    return plot


@pytest.mark.parametrize(
    ("plots", "says"),
    [
        (
            {NAME: filled(drawn(7), bins=25)[NAME]},
            "bin edges than the good runs (25 bins from 0 to 90, not 20 bins from",
        ),
        ({NAME: _with(np.nan)}, "holds nan in bin 4"),
        ({"other": filled(drawn(7))[NAME]}, "is missing; the good runs have it"),
        (filled(drawn(7, 0)), "all histograms are empty"),
        ({}, "holds no histogram"),
    ],
)
def test_a_run_of_histograms_that_cannot_be_judged(
    models: Models, judge: Run, tmp_path: Path, plots: dict[str, Any], says: str
) -> None:
    for write_plots, name in ((write_root, "bad.root"), (write_json, "bad.json")):
        path = write_plots(tmp_path / name, plots)
        row = judge(models.of_histograms, path)["bad"]
        assert row["verdict"] == "NOT ENOUGH DATA"
        assert says in row["reason"]
        assert str(path) in row["reason"]


@pytest.mark.parametrize(
    ("plots", "says"),
    [
        (_changed(bins=25), "has other bin edges than the good runs (25 bins from 0 to 90, not 20 bins from 0 to 90)"),
        (_changed(plot=_with(np.nan)), "holds nan in bin 4"),
        (_changed(plot=_with(-3.0)), "holds -3 in bin 4"),
        ({"S2/energy : depth": filled(drawn(7))["S2/energy : depth"]}, "is missing; the good runs have it"),
    ],
)
def test_a_damaged_plot_costs_that_plot_and_not_the_run(
    models: Models, judge: Run, tmp_path: Path, plots: dict[str, Any], says: str
) -> None:
    row = judge(models.of_histograms, write_json(tmp_path / "bad.json", plots))["bad"]
    assert row["verdict"] in ("GOOD", "WARN")
    assert f"not judged: the plot {NAME!r} {says}" in row["reason"]


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("bad.json", b"{not json", "is not JSON of histograms"),
        ("bad.json", b'{"a": {"axes": [], "storage": {"type": "no"}}}', "is not JSON of histograms"),
        ("bad.json", b'[1, 2]', "is not JSON of histograms"),
        ("bad.json", b"", "0 bytes"),
        ("bad.root", b"root" * 99, "is not a complete ROOT file"),
        ("bad.csv", b"energy,depth\n1,2\n", "holds events, but the good runs are histograms"),
    ],
)  # fmt: skip
def test_files_that_hold_no_histograms(
    models: Models, judge: Run, tmp_path: Path, name: str, content: bytes, says: str
) -> None:
    pytest.importorskip("uproot", reason="ROOT files need lynkeus[hep]")
    (tmp_path / name).write_bytes(content)
    row = judge(models.of_histograms, name)["bad"]
    assert row["verdict"] == "NOT ENOUGH DATA"
    assert says in row["reason"]


def test_plots_that_a_few_good_runs_lack(lynkeus: Run, models: Models, tmp_path: Path) -> None:
    folder = tmp_path / "reference"
    folder.mkdir()
    for seed in range(GOOD):
        more = {"rare": filled(drawn(seed))[NAME]} if seed < 10 else {}
        write_json(folder / f"{seed:02}.json", filled(drawn(seed), bins=30 if seed == 4 else 20) | more)
    done = lynkeus("fit", folder, "--run-per-file", "-s", "kolmogorov", "-o", "m")
    assert "plots that are not in most good runs with the same edges are left out: rare\n" in done.err
    assert "04.json: not judged: the plot" in done.err
    assert f"{GOOD} good runs" in done.err


def test_histograms_of_weighted_events(models: Models, judge: Run, tmp_path: Path) -> None:
    columns = drawn(100)
    write_json(tmp_path / "one.json", filled(columns))
    write_json(tmp_path / "half.json", filled(columns | {"weight": np.full(EVENTS, 0.5)}))
    one, half = (judge(models.of_histograms, name)[name[:-5]] for name in ("one.json", "half.json"))
    assert (half["events"], half["p_value"]) == (one["events"], one["p_value"])  # a weight of all says nothing
    assert half["verdict"] == one["verdict"] == "GOOD"
