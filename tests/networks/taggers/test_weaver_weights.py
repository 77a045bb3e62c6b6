"""Weights of weaver: recognised, refused in one line where they are another network's, and written back."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from lynkeus.core import ModelError
from lynkeus.networks.taggers.particle_net import FULL, LITE, ParticleNet, ParticleNetSizes
from lynkeus.networks.taggers.weaver import from_weaver, read_weights, to_weaver, write_weights


@pytest.fixture(scope="module")
def lite() -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    return to_weaver(ParticleNet(7, 2, LITE))


def test_the_sizes_are_recognised(lite) -> None:
    network = from_weaver(lite)
    assert isinstance(network, ParticleNet)
    assert (network.sizes, network.features, network.classes) == (LITE, 7, 2)
    assert from_weaver(to_weaver(ParticleNet(17, 10, FULL))).sizes == FULL


@pytest.mark.parametrize("prefix", ["module.", "mod.", "module.mod."])
def test_wrappers_around_the_network_do_not_matter(prefix: str, lite) -> None:
    wrapped = {prefix + name: value for name, value in lite.items()}
    for name, value in to_weaver(from_weaver(wrapped)).items():
        torch.testing.assert_close(value, lite[name])


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda w: w.pop("edge_convs.0.bns.1.bias"), r"edge_convs\.0\.bns\.1\.bias is missing"),
        (lambda w: w.update({"edge_convs.1.sc.weight": torch.ones(64, 31, 1)}), r"the shape \(64, 31, 1\), expected"),
        (lambda w: w.update({"more": torch.zeros(1)}), "more is not part of this network"),
        (lambda w: w.pop("fc.1.weight"), r"fc\.1\.weight is missing"),
        (lambda w: w["fc.1.bias"].fill_(torch.nan), r"fc\.1\.bias has values that are no numbers"),
        (lambda w: [w.pop(name) for name in list(w) if name.startswith("edge")], "first weight is bn_fts.weight"),
    ],
)  # fmt: skip
def test_weights_of_another_network_are_refused_in_one_line(change, says: str, lite) -> None:
    weights = {name: value.clone() for name, value in lite.items()}
    change(weights)
    with pytest.raises(ModelError, match=says) as refused:
        from_weaver(weights)
    assert "\n" not in str(refused.value)


def test_neighbours_are_asked_for_where_no_published_network_has_these_channels() -> None:
    weights = to_weaver(ParticleNet(7, 2, ParticleNetSizes(((3, (8, 16)), (5, (16,))))))
    with pytest.raises(ModelError, match="the number of neighbours is no weight"):
        from_weaver(weights)
    with pytest.raises(ModelError, match="1 numbers of neighbours for 2 blocks"):
        from_weaver(weights, (3,))
    assert from_weaver(weights, (3, 5)).sizes.blocks == ((3, (8, 16)), (5, (16,)))


def test_files_go_there_and_back(tmp_path: Path, lite) -> None:
    write_weights(tmp_path / "net_best_epoch_state.pt", lite)
    found = read_weights(tmp_path / "net_best_epoch_state.pt")
    assert list(found) == list(lite)
    assert all(torch.equal(found[name], value) for name, value in lite.items())
    assert [path.name for path in tmp_path.iterdir()] == ["net_best_epoch_state.pt"]


def test_other_files_are_refused_in_one_line(tmp_path: Path, lite) -> None:
    torch.save({"state": {0: torch.zeros(1)}, "param_groups": []}, tmp_path / "optimizer.pt")
    torch.save(ParticleNet(7, 2, LITE), tmp_path / "module.pt")
    torch.save(torch.zeros(3), tmp_path / "tensor.pt")
    write_weights(tmp_path / "whole.pt", lite)
    (tmp_path / "cut.pt").write_bytes((tmp_path / "whole.pt").read_bytes()[:5000])
    (tmp_path / "text.pt").write_text("no weights")
    for name, says in {
        "optimizer.pt": "'state' is a dict, no tensor",
        "module.pt": "cannot|safely",
        "tensor.pt": "holds a Tensor",
        "cut.pt": "safely",
        "text.pt": "safely",
        "absent.pt": "no such file",
    }.items():
        with pytest.raises(ModelError, match=says) as refused:
            read_weights(tmp_path / name)
        assert "\n" not in str(refused.value)
        assert name in str(refused.value)
