"""Networks of jets as ONNX files: the probabilities of the packed network, of any number of jets and particles."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from tests.networks.taggers.clouds import OF_PARTICLES, groups_for, jets_of_collections, make_jets, small_networks

from lynkeus.core import ModelError
from lynkeus.networks.taggers.padded import padded
from lynkeus.scorers.onnx import taggers
from lynkeus.scorers.onnx.onnx_scorer import open_onnx
from lynkeus.scorers.onnx.taggers import export_tagger, run_tagger

SLOPE, BIAS = 0.7, np.array([0.3, -0.2, -0.1])  # of the calibration


@pytest.mark.slow(8)
@pytest.mark.parametrize("name", ["net", "transformer", "csv", "jet", "ak8", "tau", "deep_tau"])
def test_a_file_gives_the_probabilities_of_the_network(name: str, tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    network, groups = small_networks()[name].eval(), groups_for(name)
    path = tmp_path / "tagger.onnx"
    assert export_tagger(network, path, groups, {"classes": ["a", "b", "c"]}, SLOPE, BIAS) < 1e-4
    if name in OF_PARTICLES:
        other = make_jets([3, 30, 1], 30, seed=3).groups
    else:
        other = {
            group: (values[: offsets[1]], offsets[:2]) for group, (values, offsets) in jets_of_collections().items()
        }
    module = padded(network)
    found = torch.from_numpy(run_tagger(path, other, module)).float()
    expected = torch.softmax(SLOPE * network(other).detach() + torch.tensor(BIAS), dim=1)
    torch.testing.assert_close(found, expected.float(), atol=1e-4, rtol=1e-4)
    _, about = open_onnx(path, tuple(taggers.names_of(module)))
    assert about["classes"] == ["a", "b", "c"]


@pytest.mark.slow(3)
def test_a_file_with_other_probabilities_is_not_written(tmp_path: Path, monkeypatch) -> None:
    pytest.importorskip("onnxruntime")
    network, groups = small_networks()["csv"].eval(), jets_of_collections()
    another = small_networks()["csv"].eval()
    torch.nn.init.ones_(another.dense[-1].weight)
    monkeypatch.setattr(taggers, "padded", lambda _: padded(another))
    with pytest.raises(ModelError, match=r"tagger\.onnx is not written: its scores differ by"):
        export_tagger(network, tmp_path / "tagger.onnx", groups, {}, 1.0, np.zeros(3))
    assert not list(tmp_path.iterdir())
