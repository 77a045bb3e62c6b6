"""Jets of random particles, packed and padded, and networks of weaver with weights like trained ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import pytest
import torch
from torch import Tensor, nn

FEATURES, CLASSES = 7, 3


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


@pytest.fixture(scope="session")
def jets() -> Callable[..., Jets]:
    return make_jets


@pytest.fixture(scope="session")
def trained() -> Callable[..., nn.Module]:
    """Weights and statistics as far from their beginnings as those of a training, so that logits differ by about 1."""

    def change(network: nn.Module, larger: float = 3.0) -> nn.Module:
        torch.manual_seed(3)
        for module in network.modules():
            if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
                nn.init.normal_(module.running_mean, std=0.2)
                nn.init.uniform_(module.running_var, 0.3, 2.0)
            if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d | nn.LayerNorm):
                nn.init.uniform_(module.weight, 0.7, 2.0)
                nn.init.normal_(module.bias, std=0.3)
            if isinstance(module, nn.Linear):
                module.weight.data *= larger
        return network.eval()

    return change
