"""Jets of random particles, packed and padded, and small networks of every kind."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from lynkeus.networks.taggers.deep.ak8 import DeepAK8, DeepAK8Sizes, Tower
from lynkeus.networks.taggers.deep.collections import Collection
from lynkeus.networks.taggers.deep.csv import DeepCSV, DeepCSVSizes
from lynkeus.networks.taggers.deep.jet import DeepJet, DeepJetSizes, Read
from lynkeus.networks.taggers.particle_net import ParticleNet, ParticleNetSizes
from lynkeus.networks.taggers.particle_transformer import ParticleTransformer, ParticleTransformerSizes
from lynkeus.networks.taggers.taus.candidate import Columns
from lynkeus.networks.taggers.taus.graph import TauGraph, TauGraphSizes
from lynkeus.networks.taggers.taus.images import DeepTau, DeepTauSizes, Grid

FEATURES, CLASSES = 7, 3
OF_PARTICLES = ("net", "transformer", "tau", "deep_tau")  # that read points, features and vectors
COLUMNS = Columns(0, ((1, 2), (3,), (4, 5)))  # where the features of tau candidates say what a particle is
LENGTHS = {
    "charged": [3, 0, 9, 1, 5],
    "neutral": [1, 2, 0, 7, 3],
    "vertices": [0, 1, 4, 2, 0],
    "particles": [1, 2, 9, 4, 6],
}
FEATURES_OF = {"charged": 5, "neutral": 3, "vertices": 4, "particles": 6}


def jets_of_collections() -> dict[str, tuple[Tensor, Tensor]]:
    draw = torch.Generator().manual_seed(4)
    groups = {"global": (torch.randn(5, 6, generator=draw), torch.arange(6))}
    for name, lengths in LENGTHS.items():
        offsets = torch.tensor([0, *lengths]).cumsum(0)
        groups[name] = (torch.randn(int(offsets[-1]), FEATURES_OF[name], generator=draw), offsets)
    return groups


def small_networks() -> dict[str, nn.Module]:
    """One of each kind, with few weights, by a short name."""
    torch.manual_seed(5)
    charged, vertices = Collection("charged", 5, 4, order=0), Collection("vertices", 4, 2, order=1)
    neutral, particles = Collection("neutral", 3, 5, order=2), Collection("particles", 6, 7, order=0)
    reads = (Read(charged, (8, 6), 10), Read(neutral, (4,), 5), Read(vertices, (6, 3), 4))
    towers = (Tower(particles, (12, 12, 16), (2, 1, 1), first=8), Tower(vertices, (6, 8), (1, 1), first=6))
    attention = ParticleTransformerSizes((16, 24), (6,), 2, 2, 1, ((10, 0.1),))
    return {
        "net": ParticleNet(FEATURES, CLASSES, ParticleNetSizes(((3, (8, 12)), (5, (16,))), ((12, 0.1),), fusion=True)),
        "transformer": ParticleTransformer(FEATURES, CLASSES, attention),
        "csv": DeepCSV(CLASSES, DeepCSVSizes(6, (charged, vertices), width=16, hidden=3)),
        "jet": DeepJet(CLASSES, DeepJetSizes(6, reads, (20, 10, 10))),
        "ak8": DeepAK8(CLASSES, DeepAK8Sizes(towers, width=24)),
        "tau": TauGraph(FEATURES, CLASSES, 2, TauGraphSizes(3, 8, 2, 8), COLUMNS),
        "deep_tau": DeepTau(FEATURES, CLASSES, 2, DeepTauSizes((Grid(5, 0.1), Grid(7, 0.2)), 6, 8, 12), COLUMNS),
    }


class Jets(NamedTuple):
    """The same jets twice: `groups` packed; `points`, `features`, `vectors` (n, axes, p), `mask` (n, 1, p) padded."""

    groups: dict[str, tuple[Tensor, Tensor]]
    points: Tensor
    features: Tensor
    vectors: Tensor
    mask: Tensor


def make_jets(lengths: list[int], places: int, seed: int = 0) -> Jets:
    draw = torch.Generator().manual_seed(seed)
    size = torch.tensor(lengths)
    offsets = torch.cat([size.new_zeros(1), size.cumsum(0)])
    rows = int(offsets[-1])
    points = 0.3 * torch.randn(rows, 2, generator=draw)
    own = torch.randn(len(lengths), FEATURES, generator=draw)  # jets differ from one another, as jets do
    features = torch.randn(rows, FEATURES, generator=draw) + own.repeat_interleave(size, dim=0)
    pt = torch.empty(rows).exponential_(0.05, generator=draw) + 0.5
    eta, phi = points.unbind(1)
    vectors = torch.stack([pt * phi.cos(), pt * phi.sin(), pt * eta.sinh(), 1.01 * pt * eta.cosh()], dim=1)
    real = torch.arange(places) < size[:, None]
    padded = []
    for values in (points, features, vectors):
        full = torch.zeros(len(lengths), places, values.shape[1])
        full[real] = values
        padded.append(full.transpose(1, 2).contiguous())
    groups = {"pf_points": (points, offsets), "pf_features": (features, offsets), "pf_vectors": (vectors, offsets)}
    return Jets(groups, *padded, real[:, None])


def groups_for(name: str) -> dict[str, tuple[Tensor, Tensor]]:
    """Jets that the small network of that name reads; some have one particle, some none."""
    return make_jets([1, 2, 5, 0, 9, 20, 17], 20).groups if name in OF_PARTICLES else jets_of_collections()
