"""A model folder: what was saved comes back, whatever was damaged is named."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lynkeus.core import CalibrationError, ModelError, SchemaError, concatenate
from lynkeus.files.model_folder import SUMS, _digest
from lynkeus.fitting.fit import FitSettings, fit
from lynkeus.fitting.fitted import Fitted
from lynkeus.sources import InMemory, open_source


def test_a_loaded_model_scores_as_the_saved_one(
    fitted: Fitted, orbits: Any, tmp_path: Path, agree: Callable[..., None]
) -> None:
    fitted.save(tmp_path / "deep" / "again")
    loaded = Fitted.load(tmp_path / "deep" / "again")
    source = open_source(orbits.later, "xfel_orbits")
    for mine, theirs in zip(fitted.score(source), loaded.score(source), strict=True):
        for left, right in zip(mine[1:4], theirs[1:4], strict=True):
            agree(left, right)
        assert mine.found == theirs.found
    assert loaded.lineage == fitted.lineage
    assert json.dumps(loaded.view.to_dict()) == json.dumps(fitted.view.to_dict())
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["again"]


def test_scoring_again_starts_afresh(fitted: Fitted, orbits: Any, agree: Callable[..., None]) -> None:
    source = open_source(orbits.later, "xfel_orbits")
    first, second = (np.concatenate([s.scores for s in fitted.score(source)]) for _ in range(2))
    agree(first, second)


def test_no_byte_can_flip_unnoticed(orbits: Any, tmp_path: Path) -> None:
    shutil.copytree(orbits.model, tmp_path / "m")
    rng = np.random.default_rng(8)
    files = sorted(path for path in (tmp_path / "m").rglob("*") if path.is_file())
    assert len(files) >= 5
    for path in files:
        whole = path.read_bytes()
        for at in [0, len(whole) - 1, *rng.integers(len(whole), size=3).tolist()]:
            damaged = bytearray(whole)
            damaged[at] ^= 1 << int(rng.integers(8))
            path.write_bytes(damaged)
            with pytest.raises(ModelError, match="fit it again"):
                Fitted.load(tmp_path / "m")
        path.write_bytes(whole[: len(whole) // 2])
        with pytest.raises(ModelError, match="fit it again"):
            Fitted.load(tmp_path / "m")
        path.write_bytes(whole)
    assert Fitted.load(tmp_path / "m").name == "orbit"


def test_another_format_is_named(orbits: Any, tmp_path: Path) -> None:
    folder = tmp_path / "m"
    shutil.copytree(orbits.model, folder)
    content = json.loads((folder / "model.json").read_text())
    (folder / "model.json").write_text(json.dumps(content | {"format": 99}))
    lines = [line for line in (folder / SUMS).read_text().splitlines() if not line.endswith("  model.json")]
    (folder / SUMS).write_text("\n".join([*lines, f"{_digest(folder / 'model.json')}  model.json"]) + "\n")
    with pytest.raises(ModelError, match="format 99, this version reads up to 2; fit it again"):
        Fitted.load(folder)


def test_other_data_are_refused_by_the_field_that_differs(fitted: Fitted, orbits: Any) -> None:
    batch = concatenate(list(open_source(orbits.later, "xfel_orbits")))
    metres = InMemory(replace(batch, schema=replace(batch.schema, units=("m",))))
    with pytest.raises(SchemaError, match=r"the model \(orbit\) was fitted on another schema; units: expected"):
        fitted.prepare(metres)


def test_a_budget_needs_a_reference(fitted: Fitted, orbits: Any) -> None:
    fitted.require_budget(1.0)
    with pytest.raises(CalibrationError, match=r"0\.20 h of reference"):
        fitted.require_budget(1e-4)
    rows = concatenate(list(open_source(orbits.good, "xfel_orbits")))
    timeless = replace(rows, time_ns=None, schema=replace(rows.schema, sample_rate_hz=None))
    without = fit(InMemory(timeless), FitSettings("three_sigma", window=10))
    assert without.calibrations["anomaly"].hours is None
    with pytest.raises(CalibrationError, match="has no times, so no budget"):
        without.require_budget(1.0)
    assert next(iter(without.score(InMemory(timeless)))).rates is None
    assert without.extrapolated(0.1) == fitted.extrapolated(1.0) == []
    assert "0.1 alarms an hour is far rarer than once in the reference of 0.2 h" in fitted.extrapolated(0.1)[0]
