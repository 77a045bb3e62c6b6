"""Six lines of Python: fit, score, save, load; the recommended scorer where nobody names one; a light import."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import lynkeus
from lynkeus.core import Batch, Packed, Schema, SchemaError, SettingsError, Source
from lynkeus.fitting.recommended import OF, recommended
from lynkeus.sources import InMemory
from lynkeus.sources.runs.folder import RunFile
from lynkeus.sources.runs.read import RunFolder

RNG = np.random.default_rng(1)
GOOD = RNG.normal(size=(300, 3)) * [1.0, 10.0, 0.1] + [4.5, 300.0, 1.0]


def write(path: Path, values: np.ndarray) -> str:
    np.savetxt(path, values, delimiter=",", header="helium,pump,pressure", comments="")
    return str(path)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> lynkeus.Model:
    return lynkeus.fit(write(tmp_path_factory.mktemp("python") / "a.csv", GOOD))


def test_a_file_is_learned_and_another_scored(model: lynkeus.Model, tmp_path: Path) -> None:
    odd = GOOD[:20].copy()
    odd[7, 1] += 200.0
    scores = model.score(write(tmp_path / "b.csv", odd))
    assert model.scorer == "table"
    assert "table: the scorer that is recommended for tables" in model.messages
    assert {"row", "anomaly", "anomaly_p_value", "where"} <= scores.keys()
    assert all(len(column) == 20 for column in scores.values())
    assert int(np.argmax(scores["anomaly"])) == 7
    assert scores["where"][7] == "pump"
    assert scores["anomaly_p_value"][7] == min(scores["anomaly_p_value"])
    assert repr(model) == "Model(table: 3 channels, fitted on 300 samples)"


def test_a_model_is_saved_and_loaded(model: lynkeus.Model, tmp_path: Path) -> None:
    model.save(tmp_path / "MODEL")
    data = write(tmp_path / "b.csv", GOOD[:5])
    again = lynkeus.load(tmp_path / "MODEL")
    np.testing.assert_allclose(again.score(data)["anomaly"], model.score(data)["anomaly"])


def test_an_array_will_do(model: lynkeus.Model) -> None:
    of_array = lynkeus.fit(GOOD, "three_sigma")
    assert len(of_array.score(GOOD[:4])["anomaly"]) == 4
    with pytest.raises(SchemaError):
        model.score(GOOD[:4])  # its columns have names
    with pytest.raises(SettingsError, match=r"rows and columns is needed, not one of shape \(3,\)"):
        lynkeus.fit(np.zeros(3))


def test_the_import_takes_nothing_with_it() -> None:
    code = "import sys, lynkeus; print([m for m in ('numpy', 'pyarrow', 'lynkeus.core') if m in sys.modules])"
    source = str(Path(lynkeus.__file__).parents[1])
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env={"PYTHONPATH": source})
    assert (ran.stdout.strip(), ran.stderr) == ("[]", "")
    with pytest.raises(AttributeError, match="no attribute 'fitt'"):
        lynkeus.fitt  # noqa: B018


def source_of(schema: Schema) -> Source:
    shape = tuple(size or 4 for size in schema.shape)
    return InMemory(Batch(schema, np.zeros((2, *shape))))


def clouds_of(*names: str) -> Source:
    schema = Schema("cloud", names, shape=(None, None), classes=("b", "light"))
    return InMemory(Batch(schema, Packed.of_padded("x", np.zeros((2, 1, 1)), np.ones((2, 1), bool))))


def runs_of(*names: str) -> RunFolder:
    return RunFolder([RunFile(name, lambda: iter(()), Path(name)) for name in names])


@pytest.mark.parametrize(
    ("source", "window", "scorer"),
    [
        (source_of(Schema("table", ("a",), (), (1,))), 0, "table"),
        (source_of(Schema("table", ("a",), (), (1,))), 10, "discord"),
        (source_of(Schema("waveform", ("a",), (), (1, 4))), 0, "discord"),
        (source_of(Schema("waveform", ("probe_i", "probe_q"), (), (2, 4))), 0, "cavity"),
        (source_of(Schema("image", (), (), (1, 4, 4))), 0, "inspect"),
        (clouds_of("particles/part_px", "vertices/sv_mass"), 0, "particle_net"),
        (clouds_of("charged/ptrel", "neutral/ptrel", "global/pt"), 0, "deepjet"),
        (clouds_of("global/log_pt", "vertices/mass"), 0, "deepcsv"),
        (runs_of("a.parquet", "b.parquet"), 0, "population"),
        (runs_of("a.json"), 0, "beta_binomial"),
    ],
)
def test_each_kind_of_data_has_a_recommended_scorer(source: Source, window: int, scorer: str) -> None:
    name, what = recommended(source, window)
    assert (name, OF[what]) == (scorer, scorer)


def test_what_has_none_says_so() -> None:
    with pytest.raises(SettingsError, match="no scorer is recommended for a cloud: name one with -s"):
        recommended(source_of(Schema("cloud", (), (), (3, 2))))


def test_fit_without_a_scorer_goes_on_with_the_recommended_one(tmp_path: Path) -> None:
    from typer.testing import CliRunner

    from lynkeus.cli import app

    data = write(tmp_path / "a.csv", GOOD)
    ran = CliRunner().invoke(app, ["fit", data, "-o", str(tmp_path / "MODEL")])
    assert ran.exit_code == 0
    assert "no -s: table, which is recommended for tables" in " ".join(ran.output.split())
    assert json.loads((tmp_path / "MODEL" / "model.json").read_text())["scorer"] == "table"
