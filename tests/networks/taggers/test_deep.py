"""DeepCSV, DeepJet and DeepAK8 against the same layers of PyTorch on one jet at a time; order and company."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from tests.networks.taggers.clouds import FEATURES_OF, jets_of_collections, small_networks
from torch import nn

from lynkeus.core import SchemaError
from lynkeus.networks.taggers.deep import ak8, jet
from lynkeus.networks.taggers.deep.ak8 import Convolution, DeepAK8, Unit
from lynkeus.networks.taggers.deep.collections import Collection, leading
from lynkeus.networks.taggers.deep.jet import DeepJet, Read, Sequence

CLASSES, NAMES = 3, ("csv", "jet", "ak8")


@pytest.mark.parametrize("name", NAMES)
def test_neither_order_nor_company_changes_a_jet(name: str, trained) -> None:
    network, groups = trained(small_networks()[name]), jets_of_collections()
    with torch.no_grad():
        together = network(groups)
    assert together.std(dim=0).min() > 0.1
    for at in range(len(together)):
        alone = {}
        for group, (values, offsets) in groups.items():
            begin, end = offsets[at : at + 2].tolist()
            alone[group] = (values[begin + torch.randperm(end - begin)], torch.tensor([0, end - begin]))
        with torch.no_grad():
            torch.testing.assert_close(network(alone)[0], together[at], atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("name", NAMES)
def test_they_learn_which_jets_have_many_particles(name: str) -> None:
    network = small_networks()[name].train()
    torch.manual_seed(0)
    truth = torch.arange(40) % 2
    groups = {"global": (torch.randn(40, 6), torch.arange(41))}
    for group, features in FEATURES_OF.items():
        lengths = torch.where(truth == 1, 6, 2)
        offsets = torch.cat([torch.zeros(1, dtype=torch.int64), lengths.cumsum(0)])
        groups[group] = (torch.randn(int(offsets[-1]), features) + truth.repeat_interleave(lengths)[:, None], offsets)
    adam, losses = torch.optim.Adam(network.parameters(), 1e-2), []
    for _ in range(40):
        adam.zero_grad()
        loss = nn.functional.cross_entropy(network(groups), truth)
        loss.backward()
        adam.step()
        losses.append(loss.item())
    assert all(parameter.grad is not None for parameter in network.parameters())
    assert losses[-1] < 0.5 * losses[0]


@pytest.mark.parametrize("stride", [1, 2])
def test_a_convolution_is_that_of_each_jet_with_zeros_at_its_ends(stride: int) -> None:
    torch.manual_seed(1)
    ours, (values, offsets) = Convolution(6, 4, stride), jets_of_collections()["particles"]
    theirs = nn.Conv1d(6, 4, 3, stride, padding=1, bias=False)
    with torch.no_grad():
        theirs.weight.copy_(ours.map.weight.view(4, 3, 6).transpose(1, 2))
        found, ends = ours((values, offsets))
        expected = [theirs(values[begin:end].T[None])[0].T for begin, end in pairwise(offsets.tolist())]
    assert ends.diff().tolist() == [len(one) for one in expected]
    torch.testing.assert_close(found, torch.cat(expected), atol=1e-5, rtol=1e-4)
    with torch.no_grad():
        assert Unit(6, 6, 1)((values, offsets))[0].shape == (len(values), 6)


def test_the_lstm_reads_each_jet_backwards_and_no_padding() -> None:
    torch.manual_seed(1)
    sequence = Sequence(Read(Collection("charged", 5, 9), (8, 6), 10), 0.1).eval()
    values, offsets = jets_of_collections()["charged"]
    with torch.no_grad():
        found = sequence((values, offsets))
        for at, (begin, end) in enumerate(pairwise(offsets.tolist())):
            said = torch.zeros(1, 10)
            if end > begin:
                said = sequence.lstm(sequence.convolutions(sequence.norm(values[begin:end])).flip(0))[1][0]
            torch.testing.assert_close(found[at], sequence.after(said)[0], atol=1e-6, rtol=1e-5)


def test_the_leading_rows_are_the_largest_in_order() -> None:
    values, offsets = jets_of_collections()["charged"]
    found, ends = leading({"charged": (values, offsets)}, Collection("charged", 5, 4, order=2))
    for (begin, end), (first, last) in zip(pairwise(offsets.tolist()), pairwise(ends.tolist()), strict=True):
        expected = values[begin:end, 2].sort(descending=True).values[:4]
        torch.testing.assert_close(found[first:last, 2], expected)


def parameters(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def test_deepjet_has_the_published_layers() -> None:
    """Of DL4Jets' model_deepFlavourReference without the regression, as Keras counts: 98 of the inputs' normalisation;
    convolutions 4,744 + 916 + 4,488; LSTMs 95,400 + 11,000 + 11,800 and 500 after them; dense 135,700; 606 of six
    classes. An LSTM of PyTorch has a second bias, 4 x 250."""
    sizes = jet.published(15, 16, 6, 12)
    assert [one.collection.most for one in sizes.reads] == [25, 25, 4]
    network = DeepJet(6, sizes)
    assert parameters(network) == 265_252 + 4 * 250
    assert [parameters(one.convolutions) for one in network.sequences] == [4744, 916, 4488]
    assert isinstance(network.sequences[0].convolutions[-1], nn.ReLU)


def test_deepak8_has_the_published_layers() -> None:
    """A first convolution of 32 channels, stages of 64, 64, 128 and of 32, 64 with a map beside the first unit of each,
    512 before the classes: 42 features of particles, 15 of vertices, 17 classes. MXNet learns 452,906; its
    normalisation of inputs has no scale to learn, ours has 42 + 15."""
    sizes = ak8.published(42, 15)
    assert [tower.layers for tower in sizes.towers] == [14, 10]

    def unit(given: int, made: int, mapped: bool) -> int:
        return 2 * given + 3 * given * made + 2 * made + 3 * made * made + mapped * given * made

    particles = 3 * 42 * 32 + unit(32, 64, True) + unit(64, 64, True) + unit(64, 128, True) + 2 * 128
    particles += unit(64, 64, False) * 2 + unit(128, 128, False)
    vertices = 3 * 15 * 32 + unit(32, 32, True) + unit(32, 32, False) + unit(32, 64, True) + unit(64, 64, False)
    whole = 2 * (42 + 15) + particles + vertices + 2 * 64 + (128 + 64) * 512 + 512 + 512 * 17 + 17
    assert whole == 452_906 + 42 + 15
    assert parameters(DeepAK8(17, sizes)) == whole


def test_groups_that_are_missing_or_not_one_row_a_jet() -> None:
    network, groups = small_networks()["csv"].eval(), jets_of_collections()
    with pytest.raises(SchemaError, match="reads the group 'charged'; groups: global"):
        network({"global": groups["global"]})
    with pytest.raises(SchemaError, match="'global' describes whole jets"):
        network({**groups, "global": (groups["global"][0], torch.tensor([0, 2, 2, 3, 4, 5, 6]))})
