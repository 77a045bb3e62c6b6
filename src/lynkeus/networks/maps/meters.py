"""Networks that tell classes of maps apart: the published equation-of-state-meters, a small one, and a dense one.

"published": Pang et al. 2018 (arXiv:1612.04262), as recalled; "released": that of the shared data sets of Benato et al.
2021 (arXiv:2107.00656); "spinodal": that of the same data sets for spinodal clumping (Steinheimer et al. 2019,
arXiv:1906.06562). Axes that go round are padded by what is on their other side, which the published ones did not do.
"""

from __future__ import annotations

from math import prod

from torch import nn

from lynkeus.core import SettingsError
from lynkeus.networks.maps.padding import RingConvolution

Rings = tuple[bool, bool]
Shape = tuple[int, ...]
SLOPE = 0.1  # no unit dies: maps on which all are off would all have the same score
SMALLEST = 8  # places on a side: the largest kernel


def _block(given: int, made: int, size: int, rings: Rings, pooled: bool) -> list[nn.Module]:
    pool: list[nn.Module] = [nn.AvgPool2d(2)] if pooled else []
    convolution = RingConvolution(given, made, size, rings, bias=False)
    return [convolution, *pool, nn.BatchNorm2d(made), nn.PReLU(), nn.Dropout(0.2)]


def published(shape: Shape, classes: int, rings: Rings) -> nn.Sequential:
    """Return 16 kernels of 8 x 8 and 32 of 7 x 7, then 128 units."""
    layers = [*_block(shape[0], 16, 8, rings, False), *_block(16, 32, 7, rings, True)]
    flat = 32 * (shape[1] // 2) * (shape[2] // 2)
    return nn.Sequential(
        *layers, nn.Flatten(), nn.Linear(flat, 128), nn.PReLU(), nn.Dropout(0.5), nn.Linear(128, classes)
    )


def released(shape: Shape, classes: int, rings: Rings) -> nn.Sequential:
    """Return kernels of 8 x 8, 7 x 7 and 6 x 6, then 128 units."""
    layers = [
        *_block(shape[0], 16, 8, rings, False), *_block(16, 16, 7, rings, True), *_block(16, 32, 6, rings, True)
    ]  # fmt: skip
    flat = 32 * (shape[1] // 4) * (shape[2] // 4)
    head = [nn.Linear(flat, 128, bias=False), nn.BatchNorm1d(128), nn.PReLU(), nn.Dropout(0.5), nn.Linear(128, classes)]
    return nn.Sequential(*layers, nn.Flatten(), *head)


def spinodal(shape: Shape, classes: int, rings: Rings) -> nn.Sequential:
    """Return three layers of 3 x 3 kernels and 10 units."""
    layers: list[nn.Module] = []
    for given, made, pooled in ((shape[0], 15, True), (15, 15, True), (15, 25, False)):
        layers += [RingConvolution(given, made, 3, rings), nn.LeakyReLU(SLOPE), *([nn.MaxPool2d(2)] if pooled else [])]
    flat = 25 * (shape[1] // 4) * (shape[2] // 4)
    return nn.Sequential(
        *layers, nn.Dropout(0.4), nn.Flatten(), nn.Linear(flat, 10), nn.LeakyReLU(SLOPE), nn.Linear(10, classes)
    )


def dense(shape: Shape, classes: int, rings: Rings) -> nn.Sequential:
    """Return two hidden layers of all places at once."""
    hidden = [nn.Linear(prod(shape), 64), nn.LeakyReLU(SLOPE), nn.Dropout(0.3), nn.Linear(64, 32), nn.LeakyReLU(SLOPE)]
    return nn.Sequential(nn.Flatten(), *hidden, nn.Linear(32, classes))


METERS = {"published": published, "released": released, "spinodal": spinodal, "dense": dense}


def meter(name: str, shape: Shape, classes: int, rings: Rings) -> nn.Sequential:
    """Return a network by name, from maps (b, c, row, column) to logits (b, classes).

    Raises SettingsError for maps that are smaller than its kernels.
    """
    if name != "dense" and min(shape[1:]) < SMALLEST:
        raise SettingsError(
            f"maps of {shape[1]} x {shape[2]} are smaller than the kernels of {SMALLEST} x {SMALLEST}: give larger ones"
        )
    return METERS[name](shape, classes, rings)
