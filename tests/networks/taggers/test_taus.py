"""The two networks of tau candidates: what they must not depend on, and what the small one costs."""

from __future__ import annotations

import math

import pytest

torch = pytest.importorskip("torch")

from lynkeus.networks.taggers.ragged import take  # noqa: E402
from lynkeus.networks.taggers.taus.candidate import NUMBERS, Candidate, pair_numbers, tau_axis  # noqa: E402
from lynkeus.networks.taggers.taus.graph import TauGraph  # noqa: E402
from lynkeus.networks.taggers.taus.images import DeepTau, hardest  # noqa: E402

FEATURES, CLASSES, MODES = 17, 4, 5
LENGTHS = (1, 12, 0, 3, 30, 2)


def candidates(lengths: tuple[int, ...] = LENGTHS, seed: int = 0, turned: float = 0.0) -> dict:
    """Candidates of random particles; `turned` by an angle around the beam, which moves no axis with it."""
    draw = torch.Generator().manual_seed(seed)
    offsets = torch.tensor([0, *lengths]).cumsum(0)
    rows = int(offsets[-1])
    points = torch.randn(rows, 2, generator=draw) * 0.08
    pt = torch.rand(rows, generator=draw) * 20 + 0.5
    features = torch.randn(rows, FEATURES, generator=draw)
    what = torch.randint(0, 5, (rows,), generator=draw)
    features[:, 5] = torch.tensor([1.0, 0.0, 0.0, -1.0, 1.0])[what]
    features[:, 6:11] = torch.eye(5)[what]
    eta, phi = points[:, 0] + 0.7, points[:, 1] + 1.2 + turned
    vectors = torch.stack([pt * phi.cos(), pt * phi.sin(), pt * eta.sinh(), pt * eta.cosh()], dim=1)
    return {name: (x, offsets) for name, x in (("points", points), ("features", features), ("vectors", vectors))}


def trained(kind: type) -> torch.nn.Module:
    """A network with running statistics of some candidates, so that no output is a constant."""
    torch.manual_seed(3)
    network = kind(FEATURES, CLASSES, MODES).train()
    for seed in range(5):
        network.both(candidates((8,) * 40, seed))
    return network.eval()


NETWORKS = pytest.mark.parametrize("kind", [TauGraph, DeepTau])


@NETWORKS
def test_each_candidate_is_judged_by_itself_whoever_it_comes_with(kind: type) -> None:
    network, groups = trained(kind), candidates()
    with torch.no_grad():
        together = network.both(groups)
        for jet in range(len(LENGTHS)):
            alone = network.both({name: take(group, torch.tensor([jet])) for name, group in groups.items()})
            for one, all_ in zip(alone, together, strict=True):
                torch.testing.assert_close(one[0], all_[jet], rtol=1e-3, atol=1e-4)
    assert together[0].std(dim=0).min() > 1e-3


@NETWORKS
def test_the_order_of_particles_does_not_matter(kind: type) -> None:
    network, groups = trained(kind), candidates()
    offsets = groups["points"][1]
    order = torch.cat(
        [a + torch.randperm(int(b - a)) for a, b in zip(offsets[:-1].tolist(), offsets[1:].tolist(), strict=True)]
    )
    mixed = {name: (values[order], offsets) for name, (values, _) in groups.items()}
    with torch.no_grad():
        torch.testing.assert_close(network(mixed), network(groups), rtol=1e-3, atol=1e-4)


@NETWORKS
def test_turning_the_detector_changes_nothing(kind: type) -> None:
    network = trained(kind)
    with torch.no_grad():
        torch.testing.assert_close(network(candidates(turned=2.1)), network(candidates()), rtol=1e-3, atol=1e-3)


@NETWORKS
def test_training_and_scoring_are_the_same_function_where_statistics_stand(kind: type) -> None:
    network, groups = trained(kind), candidates()
    with_gradient = network.both(groups)
    with torch.no_grad():
        without = network.both(groups)
    for a, b in zip(with_gradient, without, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-4)


@NETWORKS
@pytest.mark.parametrize("lengths", [(1,), (0,), (1, 1), (2, 0, 0)])
def test_candidates_of_one_particle_or_none_can_be_learned_from(kind: type, lengths: tuple[int, ...]) -> None:
    network = kind(FEATURES, CLASSES, MODES).train()
    logits, modes = network.both(candidates(lengths))
    (logits.square().mean() + modes.square().mean()).backward()
    assert all(torch.isfinite(p.grad).all() for p in network.parameters() if p.grad is not None)
    assert torch.isfinite(logits).all()


@NETWORKS
def test_every_parameter_learns(kind: type) -> None:
    network = kind(FEATURES, CLASSES, MODES).train()
    logits, modes = network.both(candidates((9,) * 64))
    (logits.square().sum() + modes.square().sum()).backward()
    still = [name for name, p in network.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    # The bias of an attention weight cancels, as weights are shares.
    assert [name for name in still if name != "attention.bias"] == []


def test_the_graph_has_a_tenth_of_the_parameters() -> None:
    graph, images = (
        sum(p.numel() for p in kind(FEATURES, CLASSES, MODES).parameters()) for kind in (TauGraph, DeepTau)
    )
    assert graph < 10_000
    assert images >= 10 * graph


def test_without_decay_modes_there_is_no_head_for_them() -> None:
    assert TauGraph(FEATURES, CLASSES).both(candidates())[1] is None


def test_the_axis_is_that_of_the_hardest_track_and_what_is_near_it() -> None:
    points = torch.tensor([[0.2, 0.0], [0.22, 0.0], [-0.3, 0.0], [0.1, 0.1], [0.0, 0.3]])
    pt, charged = torch.tensor([10.0, 5.0, 40.0, 3.0, 2.0]), torch.tensor([1.0, 0.0, 0.0, 0.0, 0.0])
    axis = tau_axis(points, pt, charged, torch.tensor([0, 0, 0, 1, 1]), 3)
    assert axis[0].tolist() == pytest.approx([(0.2 * 10 + 0.22 * 5) / 15, 0.0])  # the hard photon is far away
    assert axis[1].tolist() == pytest.approx([0.1, 0.1])  # no track: the hardest particle
    assert axis[2].tolist() == [0.0, 0.0]  # nothing at all


def test_the_mass_of_a_pair_of_photons_is_that_of_their_pion() -> None:
    """A pion of 20 GeV to two photons: the pair has 135 MeV."""
    mass, energy, angle = 0.135, 20.0, 1.1
    boost, momentum = energy / mass, math.sqrt(energy**2 - mass**2) / mass
    transverse, along = mass / 2 * math.sin(angle), mass / 2 * math.cos(angle)
    photons = []
    for sign in (1, -1):
        p = torch.tensor([momentum * mass / 2 + boost * sign * along, sign * transverse, 0.3 * 0], dtype=torch.float64)
        photons.append(p)
    p = torch.stack(photons)
    pt, phi = torch.hypot(p[:, 0], p[:, 1]), torch.atan2(p[:, 1], p[:, 0])
    points = torch.stack([torch.zeros(2), phi], dim=1)
    vectors = torch.cat([p, p.norm(dim=1, keepdim=True)], dim=1)
    none = torch.zeros(2, dtype=torch.long)
    of = Candidate(points, torch.zeros(2, 1), vectors, pt, torch.zeros(2), none, torch.tensor([0, 2]))
    found = pair_numbers(of, torch.tensor([0]), torch.tensor([1]))
    assert found[0, 3].exp().item() == pytest.approx(mass, rel=1e-3)
    torch.testing.assert_close(found, pair_numbers(of, torch.tensor([1]), torch.tensor([0])))


def test_numbers_of_a_candidate_are_those_of_its_particles() -> None:
    of = Candidate.of(candidates((12,)))
    numbers = of.numbers()
    assert numbers.shape == (1, NUMBERS)
    assert numbers[0, 0].exp().item() == pytest.approx(of.pt.sum().item(), rel=1e-4)
    assert numbers[0, 2:6].sum().item() == pytest.approx(1.0, abs=1e-5)  # all of pT is somewhere
    total = of.vectors.double()[(of.points.norm(dim=1) < 0.1)].sum(dim=0)
    mass = (total[3] ** 2 - total[:3].square().sum()).sqrt()
    assert numbers[0, 6].exp().item() == pytest.approx(mass.item(), rel=0.02)
    assert torch.isfinite(Candidate.of(candidates((0,))).numbers()).all()


def test_one_particle_of_a_cell_counts_the_hardest() -> None:
    cell, pt = torch.tensor([0, 0, 4, 4, 2]), torch.tensor([1.0, 3.0, 2.0, 2.0, 5.0])
    assert hardest(torch.arange(5), cell, pt, 9).tolist() == [1, 2, 4]
