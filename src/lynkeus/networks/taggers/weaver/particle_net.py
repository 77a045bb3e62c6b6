"""ParticleNet: names and shapes of weaver-core 0.5.3 (weaver/nn/model/ParticleNet.py) and ours."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from lynkeus.core import ModelError
from lynkeus.networks.taggers.particle_net import FULL, LITE, ParticleNet, ParticleNetSizes

FIRST = "edge_convs.0.convs.0.weight"  # by which a ParticleNet is known
# Parts of names, weaver's and ours.
WORDS = (
    ("bn_fts", "input_norm"), ("edge_convs", "blocks"), ("convs", "maps"), ("bns", "norms"), ("sc", "shortcut"),
    ("sc_bn", "shortcut_norm"), ("fusion_block", "fusion"),
)  # fmt: skip
DROPOUT = 0.1  # which is no weight


def recognised(state: Mapping[str, Tensor], neighbours: tuple[int, ...] | None) -> ParticleNet:
    """Return a network of the sizes that the shapes say, with its own random weights.

    The number of neighbours is no weight: None is that of the published network with these channels (16, Lite 7).
    Raises ModelError for another number of blocks than `neighbours` has, or an unknown network and no `neighbours`.
    """
    channels: list[tuple[int, ...]] = []
    while f"edge_convs.{len(channels)}.convs.0.weight" in state:
        at = f"edge_convs.{len(channels)}.convs"
        made: list[int] = []
        while f"{at}.{len(made)}.weight" in state:
            made.append(state[f"{at}.{len(made)}.weight"].shape[0])
        channels.append(tuple(made))
    k = neighbours or _published(tuple(channels))
    if len(k) != len(channels):
        raise ModelError(f"{len(k)} numbers of neighbours for {len(channels)} blocks of EdgeConv; give one for each")
    dense = [state[f"fc.{at}.0.weight"].shape[0] for at in range(len(state)) if f"fc.{at}.0.weight" in state]
    last = f"fc.{len(dense)}.weight"
    if last not in state:
        raise ModelError(f"{last} is missing: a ParticleNet ends in a linear map to its classes")
    sizes = ParticleNetSizes(
        tuple(zip(k, channels, strict=True)),
        tuple((width, DROPOUT) for width in dense),
        fusion="fusion_block.0.weight" in state,
        input_norm="bn_fts.weight" in state,
    )
    return ParticleNet(state[FIRST].shape[1] // 2, state[last].shape[0], sizes)


def _published(channels: tuple[tuple[int, ...], ...]) -> tuple[int, ...]:
    for sizes in (LITE, FULL):
        if channels == tuple(made for _, made in sizes.blocks):
            return tuple(k for k, _ in sizes.blocks)
    raise ModelError(
        f"the number of neighbours is no weight, and blocks of {channels} are not those of a published ParticleNet; "
        "say how many neighbours each block has (--neighbours 16,16,16)"
    )


def theirs(network: ParticleNet) -> dict[str, Tensor]:
    """Return the weights under weaver's names, with the axes of its convolutions."""
    back = {ours: weaver for weaver, ours in WORDS}
    found = {}
    for name, value in network.state_dict().items():
        parts = [back.get(part, part) for part in name.split(".")]
        if parts[0] == "dense":  # three modules a layer here, one Sequential a layer there
            layer = int(parts[1]) // 3
            parts = ["fc", str(layer), *(["0"] if layer < len(network.sizes.dense) else []), parts[-1]]
        axes = 2 if "convs" in parts else int("sc" in parts or parts[:2] == ["fusion_block", "0"])
        found[".".join(parts)] = value[(..., *[None] * axes)]
    return found
