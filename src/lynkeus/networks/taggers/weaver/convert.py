"""from_weaver and to_weaver: which network it is, whether it is that one in all shapes, and its weights."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from lynkeus.core import ModelError
from lynkeus.networks.taggers.particle_net import ParticleNet
from lynkeus.networks.taggers.particle_transformer import ParticleTransformer
from lynkeus.networks.taggers.weaver import particle_net, particle_transformer

OUTER, WRAPPER = (
    ("_orig_mod.", "module."),
    "mod.",
)  # of compiling, of several GPUs; of the wrappers in weaver's examples


def from_weaver(
    state: Mapping[str, Tensor], neighbours: tuple[int, ...] | None = None, pair_activation: bool | None = None
) -> nn.Module:
    """Return the network that a state_dict of weaver belongs to, with its weights, in evaluation mode.

    Two things are no weights. `neighbours`: of each block of a ParticleNet; None: as published for its channels.
    `pair_activation`: a Particle Transformer has an activation after its last layer of pairs; None is what weaver's
    example networks have (yes) where the names of the weights say that they are of one, else weaver's default (no).
    Raises ModelError for weights of another network, naming the first name or shape that differs.
    """
    activated = of_example(state) if pair_activation is None else pair_activation
    state = particle_transformer.renamed(_without_prefix(state))
    if particle_net.FIRST in state:
        network: nn.Module = particle_net.recognised(state, neighbours)
    elif particle_transformer.FIRST in state:
        network = particle_transformer.recognised(state, activated)
    else:
        neither = f"neither {particle_net.FIRST} nor {particle_transformer.FIRST}"
        raise ModelError(
            f"no ParticleNet or Particle Transformer: the first weight is {next(iter(state), '')}, {neither}"
        )
    own = network.state_dict()
    expected = to_weaver(network)
    _same(state, expected)
    given = {name: state[theirs].reshape(own[name].shape) for name, theirs in zip(own, expected, strict=True)}
    network.load_state_dict(given)
    return network.eval()


def to_weaver(network: nn.Module) -> dict[str, Tensor]:
    """Return the state_dict that weaver's module of the same sizes loads. Raises ModelError for other networks."""
    if isinstance(network, ParticleNet):
        return particle_net.theirs(network)
    if isinstance(network, ParticleTransformer):
        return particle_transformer.theirs(network)
    raise ModelError(f"weaver has no network like {type(network).__name__}")


def of_example(state: Mapping[str, Tensor]) -> bool:
    """Return whether all weights have names that wrappers in weaver's example networks give."""
    for prefix in OUTER:
        state = {name.removeprefix(prefix): value for name, value in state.items()}
    return bool(state) and all(name.startswith(WRAPPER) for name in state)


def _without_prefix(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    found = dict(state)
    for prefix in (*OUTER, WRAPPER):
        if found and all(name.startswith(prefix) for name in found):
            found = {name.removeprefix(prefix): value for name, value in found.items()}
    return found


def _same(state: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> None:
    """Raise ModelError at the first weight that is missing, of another shape, no number, or too much."""
    for name, value in expected.items():
        if name not in state:
            raise ModelError(f"{name} is missing: weights of another network")
        if state[name].shape != value.shape:
            raise ModelError(f"{name} has the shape {tuple(state[name].shape)}, expected {tuple(value.shape)}")
        if not bool(torch.isfinite(state[name]).all()):
            raise ModelError(f"{name} has values that are no numbers: the training diverged")
    more = [name for name in state if name not in expected]
    if more:
        raise ModelError(f"{more[0]} is not part of this network: weights of another one")
