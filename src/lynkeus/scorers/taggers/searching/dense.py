"""Dense: the network of a search, from columns in sigmas to logits, and with all around it in double precision."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor, nn

from lynkeus.core import Floats

COLUMNS = "columns"  # the only group: one row an event
ACTIVATIONS = {"tanh": nn.Tanh, "silu": nn.SiLU, "softplus": nn.Softplus, "relu": nn.ReLU}
CHUNK = 1_000  # events that go through a network at a time: their layers stay in the nearest caches


class Dense(nn.Module):
    """Events (n, columns) as the only group of a cloud to logits (n, classes); `layers` is the network itself."""

    def __init__(self, sizes: tuple[int, ...], activation: str) -> None:
        super().__init__()
        parts: list[nn.Module] = []
        for read, made in pairwise(sizes[:-1]):
            parts += [nn.Linear(read, made), ACTIVATIONS[activation]()]
        self.layers = nn.Sequential(*parts, nn.Linear(sizes[-2], sizes[-1]))

    def forward(self, clouds: Mapping[str, tuple[Tensor, Tensor]]) -> Tensor:
        out: Tensor = self.layers(clouds[COLUMNS][0])
        return out


def in_double(network: Dense) -> nn.Sequential:
    """Return the layers of a network as a copy in double precision."""
    found: list[nn.Module] = []
    for part in network.layers:
        if isinstance(part, nn.Linear):
            own = nn.Linear(part.in_features, part.out_features).double()
            own.load_state_dict({name: tensor.double() for name, tensor in part.state_dict().items()})
            part = own
        found.append(part)
    return nn.Sequential(*found).eval()


def with_scales(network: Dense, centre: Floats, sigma: Floats, slope: float | None, bias: Floats) -> nn.Sequential:
    """Return the network from raw columns, in double precision; with a slope to probabilities softmax(slope z + bias),
    without to logits."""
    found = nn.Sequential(affine(1.0 / sigma, -centre / sigma), *in_double(network))
    if slope is not None:
        found.append(affine(np.full(len(bias), slope), bias))
        found.append(nn.Softmax(dim=1))
    return found.eval()


def affine(factor: Floats, offset: Floats) -> nn.Linear:
    """Return x -> factor x + offset, number by number, in double precision."""
    found = nn.Linear(len(factor), len(factor)).double()
    with torch.no_grad():
        found.weight.copy_(torch.diag(torch.from_numpy(np.asarray(factor, float))))
        found.bias.copy_(torch.from_numpy(np.asarray(offset, float)))
    return found


class Raw(nn.Module):
    """Raw columns (n, columns) of single precision, NaN where one is missing, to probabilities in double precision."""

    def __init__(self, whole: nn.Module, centre: Floats) -> None:
        super().__init__()
        self.whole = whole
        self.centre: Tensor
        self.register_buffer("centre", torch.from_numpy(np.asarray(centre, float)))

    def forward(self, x: Tensor) -> Tensor:
        wide = x.double()
        out: Tensor = self.whole(torch.where(torch.isnan(wide), self.centre, wide))
        return out


class Fast:
    """The network as it scores: double precision, some events at a time, each layer written to a place of its own."""

    def __init__(self, network: Dense, centre: Floats, sigma: Floats) -> None:
        self.centre, self.inverse = torch.from_numpy(centre), torch.from_numpy(1.0 / sigma)
        self.steps: list[nn.Module | tuple[Tensor, Tensor]] = [
            (part.weight.detach().double().T, part.bias.detach().double()) if isinstance(part, nn.Linear) else part
            for part in network.layers
        ]

    def __call__(self, values: Floats) -> Floats:
        """Return logits (n, classes) of raw columns (n, columns); what is not finite counts as the mean."""
        x = torch.from_numpy(np.ascontiguousarray(values))
        sizes = [len(step[1]) for step in self.steps if isinstance(step, tuple)]
        found = torch.empty(len(x), sizes[-1], dtype=torch.float64)
        places = [torch.empty(min(CHUNK, len(x)), size, dtype=torch.float64) for size in sizes[:-1]]
        with torch.no_grad():
            for start in range(0, len(x), CHUNK):
                part = x[start : start + CHUNK] - self.centre  # a new tensor, in double precision
                if not bool(torch.isfinite(part.sum())):
                    part.nan_to_num_(nan=0.0, posinf=0.0, neginf=0.0)
                self._through(part.mul_(self.inverse), [*places, found[start : start + CHUNK]])
        return found.numpy()

    def _through(self, x: Tensor, places: list[Tensor]) -> None:
        """Write what comes out of each affine map to its place, the logits to the last one."""
        free = iter(places)
        for step in self.steps:
            if isinstance(step, tuple):
                x = torch.addmm(step[1], x, step[0], out=next(free)[: len(x)])
            elif isinstance(step, nn.Tanh):
                x.tanh_()
            else:
                x.copy_(step(x))
