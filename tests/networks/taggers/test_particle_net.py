"""ParticleNet against weaver's own module, and against itself: order, company and padding change nothing."""

from __future__ import annotations

import logging
from itertools import pairwise

import pytest
import torch
from torch import Tensor, nn

from lynkeus.core import SchemaError
from lynkeus.networks.taggers.edge_conv import EdgeConv
from lynkeus.networks.taggers.neighbours import nearest
from lynkeus.networks.taggers.particle_net import FULL, LITE, ParticleNet, ParticleNetSizes
from lynkeus.networks.taggers.weaver import from_weaver, to_weaver

FEATURES, CLASSES = 7, 3
FUSED = ParticleNetSizes(((3, (8, 16)), (5, (16,))), ((12, 0.1), (6, 0.0)), fusion=True, input_norm=False)
MIXED = [1, 2, 5, 8, 9, 20, 17, 33, 40, 7]


def weaver_net(sizes: ParticleNetSizes) -> nn.Module:
    logging.getLogger("weaver").setLevel(logging.ERROR)
    model = pytest.importorskip("weaver.nn.model.ParticleNet")
    torch.manual_seed(1)
    return model.ParticleNet(
        FEATURES, CLASSES, list(sizes.blocks), list(sizes.dense), sizes.fusion, use_fts_bn=sizes.input_norm
    ).eval()


def k_of(sizes: ParticleNetSizes) -> tuple[int, ...]:
    return tuple(k for k, _ in sizes.blocks)


@pytest.mark.parametrize(("sizes", "parameters"), [(LITE, 26_416), (FULL, 366_160)])
def test_the_published_sizes(sizes: ParticleNetSizes, parameters: int) -> None:
    assert sum(parameter.numel() for parameter in ParticleNet(7, 2, sizes).parameters()) == parameters


@pytest.mark.parametrize("sizes", [LITE, FULL, FUSED], ids=["lite", "full", "fused"])
@pytest.mark.parametrize(
    ("lengths", "places"), [([24] * 6, 24), (MIXED, 40), (MIXED, 64)], ids=["none", "some", "much"]
)
def test_the_logits_are_those_of_weaver_without_and_with_padding(sizes, lengths, places, jets, trained) -> None:
    theirs = trained(weaver_net(sizes))
    ours, sample = from_weaver(theirs.state_dict(), k_of(sizes)), jets(lengths, places)
    with torch.no_grad():
        expected = theirs(sample.points, sample.features, sample.mask)
        found = ours(sample.groups)
    assert expected.std(dim=0).min() > 0.1  # they say something of the jets
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=0)
    torch.testing.assert_close(ours(sample.groups), expected, atol=1e-4, rtol=0)  # and with gradients


def test_weights_that_were_trained_by_weaver_give_its_logits(jets) -> None:
    theirs, sample = weaver_net(LITE).train(), jets(MIXED, 40)
    adam, truth = torch.optim.Adam(theirs.parameters(), 1e-2), torch.arange(len(MIXED)) % CLASSES
    for _ in range(5):
        adam.zero_grad()
        nn.functional.cross_entropy(theirs(sample.points, sample.features, sample.mask), truth).backward()
        adam.step()
    theirs.eval()
    ours = from_weaver(theirs.state_dict())
    with torch.no_grad():
        expected = theirs(sample.points, sample.features, sample.mask)
        torch.testing.assert_close(ours(sample.groups), expected, atol=1e-4, rtol=0)
    back = weaver_net(LITE)
    back.load_state_dict(to_weaver(ours))
    torch.testing.assert_close(back(sample.points, sample.features, sample.mask), expected, atol=1e-6, rtol=0)


def test_without_padding_a_step_of_training_is_weavers(jets) -> None:
    """Where nothing is padded, statistics and gradients of training agree too; elsewhere weaver counts padding."""
    theirs = weaver_net(LITE)
    ours, sample = from_weaver(theirs.state_dict()).train(), jets([24] * 6, 24)
    theirs.train()
    theirs.trimmer.enabled = False  # it shuffles and drops particles at random
    for network in (ours, theirs):
        for module in network.modules():
            if isinstance(module, nn.Dropout):
                module.p = 0.0
    ours(sample.groups).square().sum().backward()
    theirs(sample.points, sample.features, sample.mask).square().sum().backward()
    converted = to_weaver(ours)
    for name, value in theirs.state_dict().items():
        torch.testing.assert_close(converted[name], value, atol=1e-4, rtol=1e-4, msg=name)
    gradients = dict(zip((name for name, _ in theirs.named_parameters()), ours.parameters(), strict=True))
    for name, parameter in theirs.named_parameters():
        found = gradients[name].grad.reshape(parameter.shape)
        torch.testing.assert_close(found, parameter.grad, atol=1e-4, rtol=1e-3, msg=name)


def test_neither_order_nor_company_changes_a_jet(jets, trained) -> None:
    torch.manual_seed(0)
    network, sample = trained(ParticleNet(FEATURES, CLASSES, LITE)), jets(MIXED, 40)
    offsets = sample.groups["pf_points"][1]
    with torch.no_grad():
        together = network(sample.groups)
        for jet, (begin, end) in enumerate(pairwise(offsets.tolist())):
            rows = begin + torch.randperm(end - begin)
            alone = {name: (values[rows], torch.tensor([0, len(rows)])) for name, (values, _) in sample.groups.items()}
            torch.testing.assert_close(network(alone)[0], together[jet], atol=1e-5, rtol=1e-4)


def test_a_jet_without_particles_and_no_jets_at_all(trained) -> None:
    network = trained(ParticleNet(FEATURES, CLASSES, LITE))

    def groups(lengths: list[int]) -> dict[str, tuple[Tensor, Tensor]]:
        offsets = torch.tensor([0, *lengths]).cumsum(0)
        rows = int(offsets[-1])
        return {"points": (torch.randn(rows, 2), offsets), "features": (torch.randn(rows, FEATURES), offsets)}

    with torch.no_grad():
        empty = network(groups([0, 3, 0]))
        assert network(groups([])).shape == (0, CLASSES)
    assert torch.isfinite(empty).all()
    torch.testing.assert_close(empty[0], empty[2])
    torch.testing.assert_close(network(groups([0, 3, 0]))[0], empty[0], atol=1e-6, rtol=0)


@pytest.mark.parametrize("axes", [2, 9])
def test_the_neighbours_are_those_of_all_distances(axes: int) -> None:
    torch.manual_seed(2)
    lengths = torch.tensor([0, 1, 4, 6, 30, 7, 90, 0])
    offsets = torch.cat([torch.zeros(1, dtype=torch.int64), lengths.cumsum(0)])
    points = torch.randn(int(offsets[-1]), axes)
    found = nearest(points, offsets, 6)
    for begin, end in pairwise(offsets.tolist()):
        for row in range(begin, end):
            distances = (points[begin:end].double() - points[row].double()).norm(dim=1)
            distances[row - begin] = torch.inf
            order = distances.argsort()[: min(6, end - begin - 1)] + begin
            neighbours = sorted(found[row].tolist())
            assert neighbours[: len(order)] == sorted(order.tolist())
            assert set(neighbours[len(order) :]) <= {len(points)}  # the particle of zeros


@pytest.mark.parametrize("piece", [1, 7, 1000])
@pytest.mark.parametrize("channels", [(6,), (6, 5), (8, 8, 4)])
def test_the_gradients_in_pieces_are_those_of_autograd(piece: int, channels: tuple[int, ...], monkeypatch) -> None:
    monkeypatch.setattr(EdgeConv, "piece", property(lambda _: piece))
    torch.manual_seed(0)
    block = EdgeConv(4, 3, channels).double()
    nn.init.uniform_(block.norms[0].weight, -1.0, 1.5)
    x = torch.randn(23, 3, dtype=torch.float64, requires_grad=True)
    neighbours = nearest(x, torch.tensor([0, 3, 4, 23]), 4)
    given = [x, *block.maps.parameters(), *block.norms.parameters()]
    weight, statistics, gradients = torch.randn(23, channels[-1], dtype=torch.float64), [], []
    for way in (block.plain, block._trained):
        for norm in block.norms:
            norm.reset_running_stats()
        gradients.append(torch.autograd.grad((way(x, neighbours) * weight).sum(), given))
        statistics.append([value.clone() for value in block.norms.buffers()])
    for first, second in zip(*gradients, strict=True):
        torch.testing.assert_close(first, second)
    for first, second in zip(*statistics, strict=True):
        torch.testing.assert_close(first, second)


def test_groups_are_found_by_their_role(jets) -> None:
    network, sample = ParticleNet(FEATURES, CLASSES, LITE).eval(), jets([4], 4)
    with pytest.raises(SchemaError, match="ends in 'points', and there is none; groups: pf_features"):
        network({"pf_features": sample.groups["pf_features"]})
    with pytest.raises(SchemaError, match="there are 2"):
        network({**sample.groups, "sv_points": sample.groups["pf_points"]})
