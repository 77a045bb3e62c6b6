"""Particle Transformer against weaver's own module, and against itself."""

from __future__ import annotations

import copy
import logging
from itertools import pairwise

import pytest
import torch
from torch import nn

from lynkeus.core import ModelError
from lynkeus.networks.taggers.attention import FEW
from lynkeus.networks.taggers.dropout import Dropout
from lynkeus.networks.taggers.padded import padded
from lynkeus.networks.taggers.padded.wrap import tensors_of
from lynkeus.networks.taggers.pair_training import embedded
from lynkeus.networks.taggers.pairs import Pairs, pair_features
from lynkeus.networks.taggers.particle_transformer import PUBLISHED, ParticleTransformer, ParticleTransformerSizes
from lynkeus.networks.taggers.weaver import from_weaver, to_weaver

FEATURES, CLASSES = 7, 3
MIXED = [1, 2, 5, 8, 9, 20, 17, 33, 40, 7]
SMALL = ParticleTransformerSizes((16, 24), (6,), 2, 3, 1, ((10, 0.1),))


def weaver_net(sizes: ParticleTransformerSizes, **more) -> nn.Module:
    logging.getLogger("weaver").setLevel(logging.ERROR)
    model = pytest.importorskip("weaver.nn.model.ParticleTransformer")
    torch.manual_seed(1)
    return model.ParticleTransformer(
        FEATURES, CLASSES, embed_dims=sizes.embed, pair_embed_dims=sizes.pairs, num_heads=sizes.heads,
        num_layers=sizes.layers, num_cls_layers=sizes.class_layers, fc_params=list(sizes.dense), **more,
    ).eval()  # fmt: skip


def test_the_published_size() -> None:
    assert sum(parameter.numel() for parameter in ParticleTransformer(7, 2).parameters()) == 2_141_134


@pytest.mark.parametrize("sizes", [PUBLISHED, SMALL], ids=["published", "small"])
@pytest.mark.parametrize(("lengths", "places"), [([24] * 6, 24), (MIXED, 64)], ids=["none", "padded"])
def test_the_logits_are_those_of_weaver_without_and_with_padding(sizes, lengths, places, jets, trained) -> None:
    theirs = trained(weaver_net(sizes), larger=1.3)
    ours, sample = from_weaver(theirs.state_dict()), jets(lengths, places)
    assert isinstance(ours, ParticleTransformer)
    assert ours.sizes == sizes
    with torch.no_grad():
        expected = theirs(sample.features, sample.vectors, sample.mask)
        found = ours(sample.groups)
    assert expected.std(dim=0).min() > 0.1  # they say something of the jets
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=0)
    torch.testing.assert_close(ours(sample.groups), expected, atol=1e-4, rtol=0)  # and with gradients


def test_the_example_network_of_weaver_has_an_activation_after_its_pairs(jets, trained) -> None:
    theirs = trained(weaver_net(SMALL, use_pre_activation_pair=False), larger=1.3)
    wrapped = {"mod." + name: value for name, value in theirs.state_dict().items()}
    sample = jets(MIXED, 40)
    with torch.no_grad():
        expected = theirs(sample.features, sample.vectors, sample.mask)
        ours = from_weaver(wrapped)
        torch.testing.assert_close(ours(sample.groups), expected, atol=1e-4, rtol=0)
        padded_ones = padded(ours)
        on_padded = padded_ones(*tensors_of(padded_ones, sample.groups))
        torch.testing.assert_close(on_padded, expected, atol=1e-4, rtol=0)
        other = from_weaver(wrapped, pair_activation=False)(sample.groups)
    assert (other - expected).abs().max() > 0.01
    torch.testing.assert_close(from_weaver(wrapped)(sample.groups), expected, atol=1e-4, rtol=0)  # and with gradients
    assert from_weaver(theirs.state_dict(), pair_activation=True).sizes == ours.sizes


def test_weights_that_were_trained_by_weaver_give_its_logits(jets) -> None:
    theirs, sample = weaver_net(SMALL).train(), jets(MIXED, 40)
    adam, truth = torch.optim.Adam(theirs.parameters(), 3e-3), torch.arange(len(MIXED)) % CLASSES
    for _ in range(5):
        adam.zero_grad()
        nn.functional.cross_entropy(theirs(sample.features, sample.vectors, sample.mask), truth).backward()
        adam.step()
    theirs.eval()
    ours, back = from_weaver(theirs.state_dict()), weaver_net(SMALL)
    back.load_state_dict(to_weaver(ours))
    with torch.no_grad():
        expected = theirs(sample.features, sample.vectors, sample.mask)
        torch.testing.assert_close(ours(sample.groups), expected, atol=1e-4, rtol=0)
        again = back(sample.features, sample.vectors, sample.mask)
        torch.testing.assert_close(again, expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize("few", [FEW, 0], ids=["all is kept", "computed again"])
def test_without_padding_a_step_of_training_is_weavers(jets, few, monkeypatch) -> None:
    monkeypatch.setattr("lynkeus.networks.taggers.particle_transformer.FEW", few)
    theirs = weaver_net(SMALL)
    ours, sample = from_weaver(theirs.state_dict()).train(), jets([12] * 5, 12)
    theirs.train()
    theirs.trimmer.enabled = False  # it shuffles and drops particles at random
    for network in (ours, theirs):
        for module in network.modules():
            if isinstance(module, nn.Dropout | Dropout):
                module.p = 0.0
            if hasattr(module, "use_sdpa"):
                module.dropout = 0.0
    ours(sample.groups).square().sum().backward()
    theirs(sample.features, sample.vectors, sample.mask).square().sum().backward()
    statistics = to_weaver(ours)
    for name, value in theirs.state_dict().items():
        torch.testing.assert_close(statistics[name], value, atol=1e-4, rtol=1e-4, msg=name)
    with torch.no_grad():  # under weaver's names gradients are compared one by one
        for parameter in ours.parameters():
            parameter.copy_(parameter.grad)
    gradients = to_weaver(ours)
    for name, parameter in theirs.named_parameters():
        torch.testing.assert_close(gradients[name], parameter.grad, atol=1e-3, rtol=1e-2, msg=name)


def test_pairs_in_pieces_are_those_of_plain_layers(monkeypatch) -> None:
    monkeypatch.setattr("lynkeus.networks.taggers.pair_training.PIECE", 64)
    torch.manual_seed(0)
    layers = ParticleTransformer(2, 2, ParticleTransformerSizes((8,), (6, 5), 2, 1, 1)).pairs.double().train()
    plain, x, want = copy.deepcopy(layers), torch.randn(50, 4, dtype=torch.float64), torch.randn(50, 2).double()
    found, expected = embedded(layers, x), plain(x)
    torch.testing.assert_close(found, expected)
    for out in (found, expected):
        (out * want).sum().backward()
    for one, other in zip(layers.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(one.grad, other.grad)
    for name, buffer in plain.named_buffers():
        torch.testing.assert_close(layers.get_buffer(name), buffer, msg=name)


def test_neither_order_nor_company_changes_a_jet(jets, trained) -> None:
    torch.manual_seed(0)
    network, sample = trained(ParticleTransformer(FEATURES, CLASSES, SMALL), larger=1.3), jets(MIXED, 40)
    offsets = sample.groups["pf_points"][1]
    with torch.no_grad():
        together = network(sample.groups)
        for jet, (begin, end) in enumerate(pairwise(offsets.tolist())):
            rows = begin + torch.randperm(end - begin)
            alone = {name: (values[rows], torch.tensor([0, len(rows)])) for name, (values, _) in sample.groups.items()}
            torch.testing.assert_close(network(alone)[0], together[jet], atol=1e-4, rtol=1e-4)


def test_a_jet_without_particles_and_no_jets_at_all(jets) -> None:
    network = ParticleTransformer(FEATURES, CLASSES, SMALL).eval()
    sample = jets([0, 3, 0], 3)
    with torch.no_grad():
        found = network(sample.groups)
        none = {name: (values[:0], offsets[:1]) for name, (values, offsets) in sample.groups.items()}
        assert network(none).shape == (0, CLASSES)
    assert torch.isfinite(found).all()
    torch.testing.assert_close(found[0], found[2])
    torch.testing.assert_close(network(sample.groups).detach(), found, atol=1e-5, rtol=0)


def test_the_features_of_a_pair() -> None:
    """Two massless particles of 10 and 30 GeV that are 0.3 apart in azimuth, at the same rapidity."""
    vectors = torch.tensor([[10.0, 0.0, 0.0, 10.0], [30 * 0.95533649, 30 * 0.29552021, 0.0, 30.0]])
    pairs = Pairs.of(torch.tensor([0, 2]))
    assert (pairs.first.tolist(), pairs.second.tolist()) == ([0, 1, 1], [0, 0, 1])
    found = pair_features(vectors, pairs)[1].exp()
    expected = torch.tensor([10 * 0.3, 0.25, 0.3, 2 * 10 * 30 * (1 - 0.95533649)])
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=0)


def test_dropout_keeps_the_mean_and_the_share() -> None:
    torch.manual_seed(0)
    dropout, x = Dropout(0.25).train(), torch.full((199_999,), 2.0, requires_grad=True)
    out = dropout(x)
    assert sorted(out.unique().tolist()) == pytest.approx([0.0, 8 / 3])
    assert (out == 0).float().mean().item() == pytest.approx(0.25, abs=0.01)
    out.sum().backward()
    torch.testing.assert_close(x.grad, out.detach() / 2)
    stack, other = (torch.randn(3, 2, size, requires_grad=True) for size in (5, 4))
    found = []
    for product in (dropout.product, lambda one, two: torch.matmul(dropout(one), two)):
        torch.manual_seed(1)
        out = product(stack.transpose(1, 2), other)
        found.append((out, *torch.autograd.grad(out.square().sum(), (stack, other))))
    for one, two in zip(*found, strict=True):
        torch.testing.assert_close(one, two)
    assert dropout.eval()(x) is x


def test_weights_of_older_and_other_versions() -> None:
    ours = to_weaver(ParticleTransformer(FEATURES, CLASSES, SMALL))
    older = {name.replace("in_proj.", "in_proj_"): value for name, value in ours.items()}
    assert any("in_proj_weight" in name for name in older)
    assert to_weaver(from_weaver({"mod." + name: value for name, value in older.items()})).keys() == ours.keys()
    with pytest.raises(ModelError, match=r"blocks\.0\.c_attn is missing: not version 1"):
        from_weaver(weaver_net(SMALL, version=2).state_dict())
    changed = dict(ours)
    changed["blocks.2.fc2.weight"] = torch.ones(24, 95)
    with pytest.raises(ModelError, match=r"blocks\.2\.fc2\.weight has the shape \(24, 95\), expected \(24, 96\)"):
        from_weaver(changed)
