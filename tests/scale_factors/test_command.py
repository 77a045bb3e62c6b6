"""lynkeus scale-factors, as it is typed: from tables of scores, from jets, from a published table; bad input."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lynkeus.core import Batch, Group, Packed, Schema
from lynkeus.fitting.fit import FitSettings, fit
from lynkeus.scale_factors.btag_csv import HEAD
from lynkeus.scale_factors.jets import Jets
from lynkeus.sources import InMemory

pytest.importorskip("iminuit")
correctionlib = pytest.importorskip("correctionlib")

CLASSES = ("b", "c", "light")
PARTICLES = ("part_px", "part_py", "part_pz", "part_energy", "part_deta", "part_dphi")
BINS = "pt=30:70:300,eta=0:2.4"
UNITS = ("GeV",) * 4 + ("",) * 2
HALF = ("--working-points", "half=0.5", "--bins", BINS, "--output-class", "b")


def cloud(n: int, seed: int) -> Batch:
    """Jets of three particles in a plane, whose mass is large for b, and small for light."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 3, n)
    pt, eta = rng.uniform(30, 200, n), rng.uniform(-2, 2, n)
    angle = np.abs(rng.normal(np.array([0.3, 0.2, 0.1])[truth], 0.05))
    dphi = np.stack([angle, -angle, np.zeros(n)], axis=1)
    each = np.repeat(pt[:, None] / 3, 3, axis=1)
    rapidity = np.repeat(eta[:, None], 3, axis=1)
    momenta = [each * np.cos(dphi), each * np.sin(dphi), each * np.sinh(rapidity), each * np.cosh(rapidity)]
    values = np.stack([*momenta, np.zeros_like(dphi), dphi], axis=2).reshape(-1, 6).astype(np.float32)
    schema = Schema("cloud", tuple(f"particles/{name}" for name in PARTICLES), UNITS, (None, None), classes=CLASSES)
    packed = Packed({"particles": Group.of_lengths(values, np.full(n, 3))})
    return Batch(schema, packed, truth=truth, meta={"jet_pt": pt, "jet_eta": eta})


def write_jets(batch: Batch, path: Path, **more: Any) -> None:
    """The particles as lists, observers and label."""
    group = batch.packed.groups["particles"]
    lists = {
        name: pa.ListArray.from_arrays(group.offsets.astype(np.int32), group.values[:, k])
        for k, name in enumerate(PARTICLES)
    }
    label = {"label": np.array(CLASSES)[batch.truth].tolist()}
    pq.write_table(pa.table(lists | dict(batch.meta) | label | more), path)


def write_scores(jets: Jets, path: Path, labels: bool = True, **more: Any) -> None:
    """A table as lynkeus score writes it; the score of the toy as a number between 0 and 1."""
    probability = 1.0 - np.exp(-jets.score * np.log(2.0))  # 0.5 at a threshold of 1
    columns: dict[str, Any] = {
        "row": range(len(jets)),
        "jet_pt": jets.pt,
        "jet_eta": jets.eta,
        "sv_mass": jets.template,
    }
    columns |= {"b": probability, "b_p_value": np.exp(-jets.score)}
    if labels:
        columns["label"] = np.array(CLASSES)[jets.flavour].tolist()
    pq.write_table(pa.table(columns | more), path)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, jets: Callable[..., Jets]) -> Path:
    """A tagger MODEL; sim, tune and data as tables of scores; data are 10 % less efficient for b."""
    folder = tmp_path_factory.mktemp("scale_factors")
    fit(InMemory(cloud(3000, 1)), FitSettings("jet_mass", {"radius": 0.8})).save(folder / "MODEL")
    write_scores(jets(20_000, 2), folder / "sim.parquet")
    write_scores(jets(20_000, 4, heavier=0.05), folder / "tune.parquet")
    write_scores(jets(30_000, 3, (0.9, 1.1, 1.2)), folder / "data.parquet", labels=False)
    return folder


def test_from_scores_to_corrections_and_a_report(lynkeus: Callable[..., Any], folder: Path, tmp_path: Path) -> None:
    done = lynkeus(
        "scale-factors", folder / "MODEL", folder / "sim.parquet", folder / "data.parquet", *HALF,
        "--systematics", f"tune={folder / 'tune.parquet'}", "-o", "sf.json", "-r", "sf.html",
    )  # fmt: skip
    assert (done.code, done.out) == (0, ""), done.err
    assert "half, pt 30-70, |eta| 0-2.4: 0." in done.err
    assert "sf.json: 1 working points, 2 bins" in done.err
    factor = correctionlib.CorrectionSet.from_file("sf.json")["b_half"]
    for pt in (40.0, 100.0):
        middle, up, down = (factor.evaluate(key, 5, 0.5, pt) for key in ("central", "up", "down"))
        assert down < middle < up
        assert abs(middle - 0.9) < 4 * (up - middle)
    assert "tune" in (tmp_path / "sf.html").read_text("utf-8")
    again = lynkeus("scale-factors", folder / "MODEL", "x", "y", "-o", "sf.json")
    assert again.line == "sf.json exists, and an analysis may use it: remove it, or choose another -o"


def test_jets_are_scored_here_at_background_efficiencies(
    lynkeus: Callable[..., Any], folder: Path, tmp_path: Path
) -> None:
    rng = np.random.default_rng(0)
    for name, seed in (("sim", 5), ("data", 6)):
        batch = cloud(6000, seed)
        mass = np.abs(rng.normal(np.array([3.0, 2.0, 1.0])[batch.truth], 0.7))
        write_jets(batch, tmp_path / f"{name}.parquet", sv_mass_best=mass)
    done = lynkeus(
        "scale-factors", folder / "MODEL", "sim.parquet", "data.parquet", "--working-points", "loose,mine=5%",
        "--bins", "pt=30:200,eta=0:2.0", "--output-class", "b", "--template", "sv_mass_best=0:1:1.5:2:2.5:3:5",
        "-o", "sf.json",
    )  # fmt: skip
    assert done.code == 0, done.err
    assert "data.parquet: the labels of data are not used" in done.err
    factor = correctionlib.CorrectionSet.from_file("sf.json")
    for name in ("b_loose", "b_mine"):
        middle, up = (factor[name].evaluate(key, 5, 0.5, 100.0) for key in ("central", "up"))
        assert abs(middle - 1.0) < 4 * (up - middle)


def test_a_published_table_becomes_corrections(lynkeus: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(
        f'Mine;{HEAD}\n1, comb, central, 0, -2.4, 2.4, 20, 1000, 0, 1, "0.9+0.001*x"\n', "utf-8"
    )
    done = lynkeus("scale-factors", "--from-csv", "t.csv", "-o", "sf.json")
    assert done.code == 0, done.err
    assert "Mine_comb_medium: systematic, flavor, abseta, pt" in done.err
    found = correctionlib.CorrectionSet.from_file("sf.json")["Mine_comb_medium"]
    assert found.evaluate("central", 5, 0.0, 100.0) == pytest.approx(1.0)
    assert "leave out MODEL" in lynkeus("scale-factors", "M", "--from-csv", "t.csv", "-o", "b.json").line


@pytest.mark.parametrize(
    ("more", "says"),
    [
        (("--working-points", "best"), "'best' is not known; write loose,medium,tight"),
        (("--working-points", "a=x"), "'x' is no number"),
        (("--working-points", "tight=0.001%"), "tight: a background efficiency of 1e-05 cannot be stated by"),
        (("--working-points", "none=1.1"), "no simulated b jet reaches the working point; choose a looser one"),
        (("--bins", "pt=30:20,eta=0:1"), "--bins: the edges of pt must rise"),
        (("--bins", "pt=2000:3000,eta=0:2.4"), "none of 20000 jets is in the bins"),
        (("--bins", "pt=30:70:690:700,eta=0:2.4"), "half, pt 690-700, |eta| 0-2.4: "),
        (("--output-class", "top"), "--output-class top: the model has no such output; it has b, c, light"),
        (("--template", "sv_mess"), "sim.parquet: the scores have no column 'sv_mess'"),
        (("--template", "sv_mass=1:0"), "edges must rise and be three or more"),
        (("--systematics", "tune"), "--systematics tune: write NAME=FILE"),
        (("--systematics", "tune:up=x"), "--systematics tune: give both directions"),
        (("--systematics", "statistics=x"), "statistics is the name of an uncertainty"),
        (("--systematics", "tune=missing.parquet"), "missing.parquet"),
        (("--flavours", "b=4"), "the classes b and c have the same number 4"),
        (("--prior", "0"), "--prior 0: must be above 0"),
    ],
)
def test_bad_options_are_one_line(
    lynkeus: Callable[..., Any], folder: Path, tmp_path: Path, more: tuple[str, ...], says: str
) -> None:
    files = folder / "MODEL", folder / "sim.parquet", folder / "data.parquet"
    done = lynkeus("scale-factors", *files, *HALF, *more, "-o", "sf.json")
    assert done.code == 2, done
    assert says in done.err.splitlines()[-1]
    assert not (tmp_path / "sf.json").exists()


def test_bad_data_are_one_line(lynkeus: Callable[..., Any], folder: Path, jets: Callable[..., Jets]) -> None:
    small = jets(3000, 9)
    write_scores(small, Path("unlabelled.parquet"), labels=False)
    write_scores(small[small.flavour > 0], Path("no_b.parquet"))
    write_scores(small, Path("other.parquet"), label=["b", "c", "tau"] * 1000, labels=False)
    write_scores(small, Path("words.parquet"), sv_mass=["heavy"] * 3000)
    Path("no.parquet").write_bytes(b"nothing")
    sim, data = folder / "sim.parquet", folder / "data.parquet"
    for simulation, observed, more, says in (
        ("unlabelled.parquet", data, (), "unlabelled.parquet: jets have no label; templates need simulation"),
        ("no_b.parquet", data, (), "no_b.parquet: no jet is of class b; there are c, light"),
        (sim, "words.parquet", (), "words.parquet: the column 'sv_mass' holds no numbers"),
        (sim, data, ("--systematics", "x=other.parquet"), "other.parquet: has jets of class 'tau'"),
        (sim, "gone.parquet", (), "gone.parquet"),
        (sim, "no.parquet", (), "no.parquet"),
    ):
        done = lynkeus("scale-factors", folder / "MODEL", simulation, observed, *HALF, *more, "-o", "sf.json")
        assert says in done.line


def test_weights_of_simulation_count_and_those_of_data_are_said(
    lynkeus: Callable[..., Any], folder: Path, jets: Callable[..., Jets]
) -> None:
    weight = np.where(np.random.default_rng(1).random(20_000) < 0.05, -1.0, 1.0)
    write_scores(jets(20_000, 2), Path("weighted.parquet"), weight=weight)
    write_scores(jets(20_000, 3), Path("data.parquet"), weight=np.ones(20_000))
    done = lynkeus("scale-factors", folder / "MODEL", "weighted.parquet", "data.parquet", *HALF, "-o", "sf.json")
    assert done.code == 0, done.err
    assert "data.parquet: the weights of data are not used" in done.err


def test_a_model_that_is_no_tagger_is_refused(lynkeus: Callable[..., Any], orbits: Any) -> None:
    done = lynkeus("scale-factors", orbits.model, "a.parquet", "b.parquet", "-o", "sf.json")
    assert "the scorer orbit is no tagger" in done.line
    assert "give MODEL, SIMULATION and DATA" in lynkeus("scale-factors", "-o", "sf.json").line
