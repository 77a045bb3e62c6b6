"""lynkeus search: a plan in one file, what it leaves, what stays blind, and mistakes that are one line."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lynkeus.core import SettingsError
from lynkeus.searches.events import read, read_all
from lynkeus.searches.plan.read import plan_of
from lynkeus.searches.run import run
from lynkeus.simulate.search.one_lepton.source import OneLepton
from lynkeus.sources.writers.write import write_source

pytest.importorskip("torch")
pyhf = pytest.importorskip("pyhf")
pytestmark = [
    pytest.mark.slow(20),
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::RuntimeWarning", "ignore::UserWarning"),
]
POINTS = "1900_100,1500_1000"
PLAN = """
name = "a <search>"
signal = "signal"
parameters = ["m_gluino", "m_lsp"]
[samples]
simulation = "simulation.parquet"
data = "data.parquet"
training = "training.parquet"
[processes]
normalised = ["tt1l", "tt2l", "wjets"]
fixed = { qcd = 0.5 }
[classifier]
width = 24
training = { epochs = 20, batch_size = 128 }
[regions."SR & more"]
class = "signal"
signal = true
bins = 2
[regions.tt1l]
class = "tt1l"
[regions.tt2l]
class = "tt2l"
[regions.wjets]
class = "wjets"
[regions.qcd]
class = "qcd"
[systematics]
btag = "weights"
jec = "columns"
lumi = 0.025
wscale = { kind = "weights", processes = ["wjets"] }
"""


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("search")
    shares = "signal,tt1l:2,tt2l:2,wjets:2,qcd"
    for name, seed, n in (("training", 11, 3000), ("simulation", 12, 8000)):
        write_source(
            OneLepton(n=n, seed=seed, points=POINTS, processes=shares, luminosity=6.0), folder / f"{name}.parquet"
        )
    write_source(OneLepton(data=1, seed=13, factors="wjets:0.72", luminosity=6.0), folder / "data.parquet")
    (folder / "plan.toml").write_text(PLAN, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def blind(samples: Path) -> Any:
    return run(plan_of(tomllib.loads(PLAN), "plan", samples), samples / "OUT")


def test_injected_factor_comes_back_and_hangs_on_no_point(blind: Any) -> None:
    for one in blind.estimates.values():
        factor, error = (dict(zip(one["backgrounds"], one[key], strict=True)) for key in ("factors", "errors"))
        assert abs(factor["wjets"] - 0.72) < 3.5 * error["wjets"]
        assert abs(factor["tt1l"] - 1.0) < 3.5 * error["tt1l"]
        assert np.abs(one["pyhf_difference"]).max() < 0.02
        assert one["condition"] < 5
        assert one["freedom"] == 1
        assert set(one["systematics"]) == {"btag", "jec", "lumi", "wscale", "qcd_norm"}
        assert one["bootstrap"]["experiments"] == 300
        assert np.abs(np.array(one["bootstrap"]["inside"]) - 0.683).max() < 0.1
        assert np.abs(np.array(one["bootstrap"]["width"]) - 1).max() < 0.15
        closure = one["closure"]
        assert (np.abs(np.array(closure["factors"]) - 1) < 4.5 * np.array(closure["errors"])).all()
    a, b = blind.estimates.values()
    assert (np.abs(np.array(a["factors"]) - b["factors"]) < 3 * np.array(a["errors"])).all()


def test_the_workspace_is_pyhfs_and_gives_its_cls(blind: Any) -> None:
    for point, workspace in blind.workspaces.items():
        written = json.loads(json.dumps(workspace))
        pyhf.schema.validate(written, "workspace.json")
        read = pyhf.Workspace(written)
        model = read.model(modifier_settings={"normsys": {"interpcode": "code4"}, "histosys": {"interpcode": "code4p"}})
        middle = blind.likelihoods[point]["limit_expected"][2]
        with_minuit = pyhf.get_backend()
        try:
            pyhf.set_backend("numpy", pyhf.optimize.minuit_optimizer(maxiter=100_000, tolerance=0.01))
            _, band = pyhf.infer.hypotest(
                middle, read.data(model), model, test_stat="qtilde", return_expected_set=True,
                par_bounds=[(0, 1e3) if k == model.config.poi_index else one for k, one in
                            enumerate(model.config.suggested_bounds())],
            )  # fmt: skip
        finally:
            pyhf.set_backend(*with_minuit)
        assert float(band[2]) == pytest.approx(0.05, abs=3e-4)


def test_data_of_the_signal_region_change_nothing(samples: Path, blind: Any, tmp_path: Path) -> None:
    """Take away every second event of data where the classifier says signal: blind, nothing may be different."""
    from lynkeus.fitting.fitted import Fitted
    from lynkeus.searches.cells import members
    from lynkeus.searches.classifier import Classifier
    from lynkeus.searches.plan.plan import Point

    plan = blind.plan
    (model,) = (samples / "OUT").glob("model-*")
    data = read(plan.samples.data, plan.samples, data=True)
    classifier = Classifier(Fitted.load(model), plan.parameters)
    hidden = np.ones(len(data), bool)
    for name in blind.points:
        point = Point(name, tuple(map(float, name.split("_"))))
        hidden &= members(plan, classifier, data, classifier.probabilities(data, point), "")[:, 0]
    table = pq.read_table(samples / "data.parquet")
    pq.write_table(table.filter(pa.array(~hidden)), tmp_path / "data.parquet")
    given = tomllib.loads(PLAN.replace('"data.parquet"', f'"{tmp_path / "data.parquet"}"'))
    again = run(plan_of(given, "plan", samples), samples / "OUT")
    assert again.estimates == blind.estimates
    assert again.likelihoods == blind.likelihoods
    assert again.workspaces == blind.workspaces


def test_the_command_writes_goes_on_and_records_a_look(samples: Path, blind: Any, lynkeus: Callable[..., Any]) -> None:
    done = lynkeus("search", samples / "plan.toml", "-o", samples / "OUT")
    assert done.code == 0, done
    assert "2 steps were done before" in done.err
    assert "stay blind" in done.err
    folder = samples / "OUT"
    page = (folder / "report.html").read_text("utf-8")
    assert "a &lt;search&gt;" in page
    assert "a <search>" not in page
    assert not re.search(r'(src|href)="(https?:)?//', page)
    assert "SR &amp; more" in page
    for name in ("factors", "matrix", "systematics", "prediction", "limits", "pulls", "impacts"):
        assert pq.read_table(folder / "tables" / f"{name}.parquet").num_rows > 0
        assert (folder / "tables" / f"{name}.csv").stat().st_size > 0
    assert np.isnan(pq.read_table(folder / "tables" / "prediction.parquet")["observed"].to_numpy()).all()
    assert {path.stem for path in (folder / "figures").iterdir()} >= {"regions", "factors", "limits", "limit_plane"}
    uproot = pytest.importorskip("uproot")
    written = next(iter(blind.workspaces.values()))
    with uproot.open(folder / "histograms.root") as file:
        channel = written["channels"][1]
        where = f"{blind.points[0]}/{channel['name']}"
        for sample in channel["samples"]:
            drawn = file[f"{where}/{sample['name']}"]
            np.testing.assert_allclose(drawn.values(), sample["data"])
        np.testing.assert_allclose(file[f"{where}/data_obs"].values(), written["observations"][1]["data"])
        hidden = f"{blind.points[0]}/{written['channels'][0]['name']}/data_obs"
        assert not [key for key in set(file.keys()) if key.startswith(hidden)]
    record = json.loads((folder / "record.json").read_text("utf-8"))
    assert record["blind"]
    assert record["unblinded"] == []
    done = lynkeus("search", samples / "plan.toml", "-o", folder, "--unblind")
    assert done.code == 0, done
    assert "UNBLINDED" in done.err
    assert len(json.loads((folder / "record.json").read_text("utf-8"))["unblinded"]) == 1
    limits = pq.read_table(folder / "tables" / "limits.parquet")
    assert np.isfinite(limits["limit_observed"].to_numpy()).all()
    assert 1 / 1001 <= float(re.search(r"with a chance of ([\d.e-]+)", done.err)[1]) <= 1  # type: ignore[index]
    lynkeus("search", samples / "plan.toml", "-o", folder)
    record = json.loads((folder / "record.json").read_text("utf-8"))
    assert len(record["unblinded"]) == 1  # blind again, and what was seen stays written down


MISTAKES = {
    ('training = "training.parquet"', 'training = "simulation.parquet"'): "are in training",
    ('class = "tt2l"', 'class = "signal"'): "looks at data where the classifier says signal",
    ('[regions.tt2l]\nclass = "tt2l"', '[regions.tt2l]\ncut = "p_signal > 0.3"'): "look at data in the signal region",
    ('[samples]', '[samples]\nselect = "p_signal > 0.5"'): "would look at the signal region",
    ('[samples]', '[samples]\nselect = "ht > 1e9"'): "leaves no event",
    ('normalised = ["tt1l", "tt2l", "wjets"]', 'normalised = ["tt1l", "tth", "wjets"]'): "the class tth has no events",
    ('class = "wjets"\n', 'class = "wjets"\ncut = "met > 250"\n'): "are in no region",
    ('class = "qcd"\n', 'class = "qcd"\ncut = "p_qcd > 2"\n'): "are in no region",
    ('btag = "weights"', 'pdf = "weights"'): "has no column weight_pdf_up",
    ('jec = "columns"', 'tes = "columns"'): "has no column COLUMN_tes_up",
    ('signal = true', 'signal = false'): "none has signal = true",
    ('lumi = 0.025', 'lumi = true'): "must be",
    ('lumi = 0.025', 'lumi = { up = "x.parquet" }'): "needs both",
    ('seed', 'seed'): "",
}  # fmt: skip
del MISTAKES["seed", "seed"]


@pytest.mark.parametrize("change", MISTAKES)
def test_mistakes_are_one_line(samples: Path, blind: Any, change: tuple[str, str], lynkeus: Callable[..., Any]) -> None:
    before, after = change
    assert before in PLAN
    path = samples / "bad.toml"
    path.write_text(PLAN.replace(before, after, 1), encoding="utf-8")
    done = lynkeus("search", path, "-o", samples / "OUT")
    assert MISTAKES[change] in done.line, done


def changed(samples: Path, name: str, change: Callable[[dict[str, Any]], None]) -> str:
    table = pq.read_table(samples / f"{name}.parquet")
    columns = {key: table[key].to_numpy(zero_copy_only=False).copy() for key in table.column_names}
    change(columns)
    pq.write_table(pa.table(columns), samples / f"changed_{name}.parquet")
    return PLAN.replace(f'"{name}.parquet"', f'"changed_{name}.parquet"')


def _nan(columns: dict[str, Any]) -> None:
    columns["weight"][7] = np.nan


def _negative(columns: dict[str, Any]) -> None:
    columns["weight"][columns["process"] == "tt2l"] *= -1


def _same(columns: dict[str, Any]) -> None:
    """W+jets look like tt1l: nothing tells them apart."""
    own = np.flatnonzero(columns["process"] == "tt1l")
    other = np.flatnonzero(columns["process"] == "wjets")
    for name, column in columns.items():
        if not name.startswith(("weight", "process")):
            column[other] = column[np.resize(own, len(other))]


def _one_way(columns: dict[str, Any]) -> None:
    del columns["met_jec_down"]


def _no_nominal(columns: dict[str, Any]) -> None:
    for way in ("up", "down"):
        columns[f"metal_jec_{way}"] = columns["met"]


def _nan_varied(columns: dict[str, Any]) -> None:
    columns["weight_btag_up"][3] = np.nan


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (_nan, "event 7 is nan"),
        (_negative, "the weights of tt2l add up to -"),
        (_same, "tt1l and wjets have the same shares"),
        (_one_way, "met_jec_up has no other way"),
        (_no_nominal, "metal_jec_up is a variation of metal"),
        (_nan_varied, "weight_btag_up: the weight of event"),
    ],
)
def test_bad_simulation_is_one_line(
    samples: Path, blind: Any, change: Callable[[dict[str, Any]], None], says: str, lynkeus: Callable[..., Any]
) -> None:
    (samples / "bad.toml").write_text(changed(samples, "simulation", change), encoding="utf-8")
    done = lynkeus("search", samples / "bad.toml", "-o", samples / "OUT")
    assert says in done.line, done


def test_plans_are_read_strictly(tmp_path: Path) -> None:
    given = tomllib.loads(PLAN)
    for field, value, says in (
        ("colour", 1, "colour: no such field"),
        ("points", ["1900"], "has 1 values for 2 parameters"),
        ("points", ["1900_100", [1900, 100]], "one is named twice"),
        ("toys", -1, "toys: must be a number"),
        ("toys", 300, "toys: must be 0 or at least 1000"),
        ("uncovered", "ignore", "must be one of refuse, leave out"),
        ("regions", {"a": {"class": "tt1l"}}, "none has signal = true"),
        ("processes", {"normalised": ["tt1l", "tt1l"]}, "named twice"),
        ("samples", {"simulation": "a", "data": "b"}, "give training"),
        (
            "samples",
            {"simulation": [{"fil": "a"}], "data": "b", "model": "c"},
            "fil: no such field",
        ),
        ("samples", {"simulation": ["a", {"process": "tt"}], "data": "b", "model": "c"}, "simulation[1]: is missing"),
        ("samples", {"simulation": {"file": "a", "scale": 0}, "data": "b", "model": "c"}, "scale: must be a number"),
        ("samples", {"simulation": "a", "data": ["b", "c"], "model": "c"}, "data: must be one file"),
    ):
        with pytest.raises(SettingsError, match=re.escape(says)):
            plan_of({**given, field: value}, "plan.toml", tmp_path)


def test_files_of_a_sample_say_process_selection_and_cross_section(tmp_path: Path) -> None:
    for name, first in (("one", 0), ("two", 100)):
        number = np.arange(first, first + 10)
        table = pa.table({"met": number * 1.5, "event": number, "weight": np.where(number % 5, 1.0, -1.0)})
        pq.write_table(table, tmp_path / f"{name}.parquet")
    samples = {
        "simulation": [
            {"file": "one.parquet", "process": "tt", "select": "event % 2 == 0", "scale": 0.5},
            {"file": "two.parquet", "process": "z", "scale": 3},
        ],
        "data": "one.parquet", "model": "MODEL",
    }  # fmt: skip
    plan = plan_of({**tomllib.loads(PLAN), "samples": samples}, "plan.toml", tmp_path)
    found = read_all(plan.samples.simulation, plan.samples)
    tt = found.of("tt", "process")
    np.testing.assert_array_equal(found.columns["event"][tt], [0, 2, 4, 6, 8])
    np.testing.assert_array_equal(found.weight[tt], [-0.5, 0.5, 0.5, 0.5, 0.5])
    assert found.weight[~tt].sum() == 3 * (8 - 2)
    assert (read(plan.samples.data, plan.samples, data=True).weight == 1).all()
