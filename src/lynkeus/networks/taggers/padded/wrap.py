"""padded(network): a module of padded tensors, and the padded tensors of packed groups."""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from lynkeus.core import SettingsError
from lynkeus.networks.taggers.deep.ak8 import DeepAK8
from lynkeus.networks.taggers.deep.collections import places_of
from lynkeus.networks.taggers.deep.csv import DeepCSV
from lynkeus.networks.taggers.deep.jet import DeepJet
from lynkeus.networks.taggers.padded.deep import PaddedDeepAK8, PaddedDeepCSV, PaddedDeepJet
from lynkeus.networks.taggers.padded.particle_net import PaddedParticleNet
from lynkeus.networks.taggers.padded.particle_transformer import PaddedParticleTransformer
from lynkeus.networks.taggers.padded.taus import PaddedDeepTau, PaddedTauGraph
from lynkeus.networks.taggers.particle_net import ParticleNet
from lynkeus.networks.taggers.particle_transformer import ParticleTransformer
from lynkeus.networks.taggers.ragged import Group, Groups, jet_of, lengths_of, role
from lynkeus.networks.taggers.taus.graph import OWN, TauGraph
from lynkeus.networks.taggers.taus.images import DeepTau


@runtime_checkable
class Padded(Protocol):
    """A module of padded tensors: `groups` names the groups that it reads, by role or by name, and whether they share
    one `mask`.

    forward takes the values of each group (n, p, features), "global" (n, features), then the masks (n, p), True at
    particles: one for all, or one for each group but "global". It gives logits (n, classes).
    """

    groups: tuple[str, ...]
    shared_mask: bool

    def __call__(self, *tensors: Tensor) -> Tensor: ...


def padded(network: nn.Module) -> nn.Module:
    """Return a network as a module of padded tensors that gives the same logits: a `Padded`, in evaluation mode, with
    weights of its own. Raises SettingsError for other networks."""
    for kind, wrapper in (
        (ParticleNet, PaddedParticleNet),
        (ParticleTransformer, PaddedParticleTransformer),
        (DeepCSV, PaddedDeepCSV),
        (DeepJet, PaddedDeepJet),
        (DeepAK8, PaddedDeepAK8),
        (TauGraph, PaddedTauGraph),
        (DeepTau, PaddedDeepTau),
    ):
        if isinstance(network, kind):
            return wrapper(network).eval()
    raise SettingsError(f"{type(network).__name__} has no form with padded tensors")


def names_of(module: Padded) -> tuple[str, ...]:
    """Return the names of the tensors that a padded module takes, in order."""
    masks = ("mask",) if module.shared_mask else tuple(f"{name}_mask" for name in module.groups if name != "global")
    return (*module.groups, *masks)


def features_read(network: nn.Module) -> dict[str, int]:
    """Return how many features of each group a network reads, by role or by name."""
    if isinstance(network, ParticleNet | ParticleTransformer):
        return {"points": 2, "features": network.features, "vectors": 4}
    if isinstance(network, TauGraph | DeepTau):
        return {"points": 2, "features": network.input_norm.num_features - OWN, "vectors": 4}
    sizes: Any = network.sizes
    parts = [getattr(one, "collection", one) for one in _parts_of(network)]
    found = {one.group: one.features for one in parts}
    return found | ({"global": sizes.whole} if hasattr(sizes, "whole") else {})


def _parts_of(network: Any) -> Any:
    sizes = network.sizes
    return next(getattr(sizes, name) for name in ("reads", "towers", "collections") if hasattr(sizes, name))


def tensors_of(module: Padded, groups: Groups, places: int = 1) -> list[Tensor]:
    """Return the tensors that a padded module takes, of packed groups, with at least so many places."""
    values, masks = [], []
    for name in module.groups:
        group = role(groups, name)
        if name == "global":
            values.append(group[0])
            continue
        side, mask = _side_by_side(group, places)
        values.append(side)
        masks.append(mask)
    return [*values, *(masks[:1] if module.shared_mask else masks)]


def _side_by_side(group: Group, places: int) -> tuple[Tensor, Tensor]:
    values, offsets = group
    lengths = lengths_of(offsets)
    longest = max([places, *lengths.tolist()])
    found = values.new_zeros(len(lengths), longest, values.shape[1])
    found[jet_of(offsets), places_of(offsets)] = values
    return found, torch.arange(longest, device=offsets.device) < lengths[:, None]
