"""Particle Transformer, version 1: names and shapes of weaver-core 0.5.3 (weaver/nn/model/ParticleTransformer.py)."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from lynkeus.core import ModelError
from lynkeus.networks.taggers.particle_transformer import ParticleTransformer, ParticleTransformerSizes

FIRST = "pair_embed.embed.1.weight"  # by which a Particle Transformer is known
# Beginnings of names, ours and weaver's.
WORDS = (
    ("class_token", "cls_token"), ("input_norm.", "embed.input_bn."), ("embed.", "embed.embed."),
    ("pairs.", "pair_embed.embed."), ("class_blocks.", "cls_blocks."),
)  # fmt: skip
DROPOUT = 0.1  # which is no weight
OLDER = {"in_proj_weight": "in_proj.weight", "in_proj_bias": "in_proj.bias"}  # of weaver before 0.5


def renamed(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the weights under the names of weaver 0.5."""
    found = {}
    for name, value in state.items():
        for old, new in OLDER.items():
            if name.endswith(old):
                name = name.removesuffix(old) + new
        found[name] = value
    return found


def recognised(state: Mapping[str, Tensor], pair_activation: bool) -> ParticleTransformer:
    """Return a network of the sizes that the shapes say, with its own random weights. Raises ModelError.

    `pair_activation` is no weight: see ParticleTransformerSizes.
    """

    def widths(name: str, first: int) -> tuple[int, ...]:
        found: list[int] = []
        while name.format(first + 3 * len(found)) in state:
            found.append(state[name.format(first + 3 * len(found))].shape[0])
        return tuple(found)

    def layers(name: str) -> int:
        return sum(f"{name}.{at}.fc1.weight" in state for at in range(len(state)))

    needed = ("embed.input_bn.weight", "blocks.0.c_attn", "cls_token")
    for name in (*needed, "blocks.0.post_attn_norm.weight"):
        if name not in state:
            raise ModelError(f"{name} is missing: not version 1 of the Particle Transformer")
    dense = [state[f"fc.{at}.0.weight"].shape[0] for at in range(len(state)) if f"fc.{at}.0.weight" in state]
    last = f"fc.{len(dense)}.weight"
    embed, pairs = widths("embed.embed.{}.weight", 1), widths("pair_embed.embed.{}.weight", 1)
    if last not in state or not embed:
        raise ModelError(f"{last if embed else 'embed.embed.1.weight'} is missing: weights of another network")
    sizes = ParticleTransformerSizes(
        embed, pairs[:-1], len(state["blocks.0.c_attn"]), layers("blocks"), layers("cls_blocks"),
        tuple((width, DROPOUT) for width in dense), DROPOUT, pair_activation,
    )  # fmt: skip
    return ParticleTransformer(len(state["embed.input_bn.weight"]), state[last].shape[0], sizes)


def theirs(network: ParticleTransformer) -> dict[str, Tensor]:
    """Return the weights under weaver's names, with the axes of its convolutions."""
    found = {}
    for name, value in network.state_dict().items():
        given = name
        for ours, weaver in WORDS:
            if given.startswith(ours):
                name = weaver + given.removeprefix(ours)
                break
        if given.startswith("dense."):  # three modules a layer here, one Sequential a layer there
            layer = int(given.split(".")[1]) // 3
            inner = ".0" if layer < len(network.sizes.dense) else ""
            name = f"fc.{layer}{inner}.{given.rsplit('.', 1)[-1]}"
        convolution = given.startswith("pairs.") and given.endswith("weight") and value.ndim == 2
        found[name] = value[..., None] if convolution else value[None] if given == "class_token" else value
    return found
