"""DeepCSV and DeepJet on simulated b and light jets, of raw particles and of groups that a layout has made."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lynkeus.core import Batch, Schema, concatenate, plugins
from lynkeus.fitting.fit import FitSettings, fit
from lynkeus.metrics.rates import auroc
from lynkeus.simulate.jets.source import JetSource
from lynkeus.sources import InMemory
from lynkeus.transforms.jets.flavour import GROUPS, flavour_groups

pytest.importorskip("torch")
pytestmark = pytest.mark.slow(4)


@pytest.fixture(scope="module")
def jets() -> Batch:
    return concatenate(list(JetSource("b,light", "50-150", n=1600, seed=7)))


@pytest.mark.parametrize("name", ["deepcsv", "deepjet"])
def test_groups_of_a_layout_are_read_like_those_made_of_particles(jets: Batch, name: str) -> None:
    packed = flavour_groups(jets)
    names = tuple(f"{group}/{feature}" for group, features in GROUPS.items() for feature in features)
    made = Batch(Schema("cloud", names, (), (None, None), classes=jets.schema.classes), packed, truth=jets.truth)
    settings = FitSettings(name, {"reweight": "none", "training": {"epochs": 3, "batch_size": 64}})
    areas = []
    for batch in (jets, made):
        fitted = fit(InMemory(batch[:1100], 400), settings)
        scores = fitted.scorer.score(batch[1100:])[:, 0]
        areas.append(auroc(batch.truth[1100:] == 0, scores))
    assert min(areas) > 0.85
    assert areas[0] == pytest.approx(areas[1], abs=0.02)


def test_tracks_alone_leave_vertices_out_but_tag(jets: Batch) -> None:
    only = {"particles": jets.packed.groups["particles"]}
    names = tuple(name for name in jets.schema.names if name.startswith("particles/"))
    schema = Schema("cloud", names, (), (None, None), classes=jets.schema.classes)
    batch = Batch(schema, type(jets.packed)(only), truth=jets.truth)
    settings = FitSettings("deepcsv", {"reweight": "none", "training": {"epochs": 3, "batch_size": 64}})
    fitted = fit(InMemory(batch[:1100], 400), settings)
    scores = fitted.scorer.score(batch[1100:])[:, 0]
    assert np.isfinite(scores).all()
    assert auroc(batch.truth[1100:] == 0, scores) > 0.8


@pytest.mark.parametrize("name", ["deepjet", "deepak8"])
def test_models_of_the_first_form_of_the_networks_are_read(jets: Batch, name: str, tmp_path: Path) -> None:
    kind = plugins.load("scorers", name)
    scorer = kind(training={"epochs": 1}).fit(InMemory(jets[:80]))
    now = sum(tensor.size for tensor in scorer.to_arrays().values())
    scorer.first_form_ = True
    scorer.task_ = scorer.make_task()
    scorer.task_.networks.eval()
    assert sum(tensor.size for tensor in scorer.to_arrays().values()) != now
    scorer.save(tmp_path / "model")
    read = kind.load(tmp_path / "model")
    np.testing.assert_allclose(read.score(jets[80:90]), scorer.score(jets[80:90]), atol=1e-6)
    read.save(tmp_path / "again")
    assert kind.load(tmp_path / "again").first_form_
