"""DeepCSV, DeepJet and DeepAK8 on padded tensors."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from lynkeus.networks.taggers.deep.ak8 import Convolution, DeepAK8, Residual, Unit
from lynkeus.networks.taggers.deep.collections import Collection
from lynkeus.networks.taggers.deep.csv import DeepCSV
from lynkeus.networks.taggers.deep.jet import DeepJet, Sequence


def leading_places(collection: Collection, values: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """Return the leading rows (n, most, features) of values (n, p, features), zeros after them, and their mask."""
    values = functional.pad(values, (0, 0, 0, collection.most))
    mask = functional.pad(mask, (0, collection.most))
    if collection.order is None:  # in the order of their places: the first one has the largest key
        place = torch.arange(mask.shape[1], device=mask.device)
        key = -place.to(values.dtype).expand(mask.shape)
    else:
        key = values[:, :, collection.order]
    chosen = key.masked_fill(~mask, -torch.inf).topk(collection.most, dim=1).indices
    kept = mask.gather(1, chosen)
    found = values.gather(1, chosen[:, :, None].expand(-1, -1, values.shape[2]))
    return torch.where(kept[:, :, None], found, 0.0), kept


def _normalised(norm: Any, x: Tensor) -> Tensor:
    scale = norm.weight / torch.sqrt(norm.running_var + norm.eps)
    return (x - norm.running_mean) * scale + norm.bias


def _all(layers: Any, x: Tensor) -> Tensor:
    for layer in layers:
        x = _normalised(layer, x) if isinstance(layer, nn.BatchNorm1d) else layer(x)
    return x


class _Collections(nn.Module):
    """What the three have in common: which groups they read."""

    shared_mask = False

    def __init__(self, network: Any, collections: list[Collection], whole: bool) -> None:
        super().__init__()
        self.network, self.collections = network, collections
        self.groups = (*(["global"] if whole else []), *(one.group for one in collections))

    def leading(self, tensors: tuple[Tensor, ...]) -> list[tuple[Tensor, Tensor]]:
        """Return the leading rows of each collection and their masks."""
        many = len(self.collections)
        values, masks = tensors[-2 * many : -many], tensors[-many:]
        return [leading_places(*given) for given in zip(self.collections, values, masks, strict=True)]


class PaddedDeepCSV(_Collections):
    """global (n, features), each collection (n, p, features), each mask (n, p) to logits (n, classes)."""

    def __init__(self, network: DeepCSV) -> None:
        super().__init__(network, list(network.sizes.collections), True)

    def forward(self, *tensors: Tensor) -> Tensor:
        """Return logits (n, classes)."""
        found = [_normalised(self.network.whole_norm, tensors[0])]
        for (values, mask), norm in zip(self.leading(tensors), self.network.norms, strict=True):
            found.append(torch.where(mask[:, :, None], _normalised(norm, values), 0.0).flatten(1))
        logits: Tensor = self.network.dense(torch.cat(found, dim=1))
        return logits


class PaddedDeepJet(_Collections):
    """global (n, features), each collection (n, p, features), each mask (n, p) to logits (n, classes)."""

    def __init__(self, network: DeepJet) -> None:
        super().__init__(network, [read.collection for read in network.sizes.reads], True)

    def forward(self, *tensors: Tensor) -> Tensor:
        """Return logits (n, classes)."""
        found = [_normalised(self.network.whole_norm, tensors[0])]
        for (values, mask), sequence in zip(self.leading(tensors), self.network.sequences, strict=True):
            found.append(_said(sequence, values, mask))
        joint = torch.cat(found, dim=1)
        logits: Tensor = self.network.dense[1](_all(self.network.dense[0], joint))
        return logits


def _said(sequence: Sequence, values: Tensor, mask: Tensor) -> Tensor:
    """What the LSTM says: step by step from the last place; at a place without a particle it stays as it is."""
    lstm = sequence.lstm
    x = _all(sequence.convolutions, _normalised(sequence.norm, values))
    given = functional.linear(x, lstm.weight_ih_l0, lstm.bias_ih_l0 + lstm.bias_hh_l0)
    hidden = cell = torch.zeros_like(given[:, 0, : sequence.read.memory])
    for place in reversed(range(sequence.read.collection.most)):
        gates = given[:, place] + functional.linear(hidden, lstm.weight_hh_l0)
        enter, forget, new, out = gates.chunk(4, dim=1)
        following = torch.sigmoid(forget) * cell + torch.sigmoid(enter) * torch.tanh(new)
        here = mask[:, place, None]
        hidden = torch.where(here, torch.sigmoid(out) * torch.tanh(following), hidden)
        cell = torch.where(here, following, cell)
    return _all(sequence.after, hidden)


class PaddedDeepAK8(_Collections):
    """Each collection (n, p, features), each mask (n, p) to logits (n, classes)."""

    def __init__(self, network: DeepAK8) -> None:
        super().__init__(network, [tower.collection for tower in network.sizes.towers], False)

    def forward(self, *tensors: Tensor) -> Tensor:
        """Return logits (n, classes)."""
        leading = self.leading(tensors)
        found = [_tower(tower, *given) for tower, given in zip(self.network.towers, leading, strict=True)]
        logits: Tensor = self.network.dense(torch.cat(found, dim=1))
        return logits


def _tower(tower: Residual, values: Tensor, mask: Tensor) -> Tensor:
    x = _convolved(tower.first, torch.where(mask[:, :, None], _normalised(tower.norm, values), 0.0))
    for unit in tower.units:
        assert isinstance(unit, Unit)
        stride = unit.first.stride
        active = torch.where(mask[:, :, None], torch.relu(_normalised(unit.norms[0], x)), 0.0)
        mask = mask[:, ::stride]
        passed = x if unit.shortcut is None else unit.shortcut(active[:, ::stride])
        made = _convolved(unit.first, active)
        made = torch.where(mask[:, :, None], torch.relu(_normalised(unit.norms[1], made)), 0.0)
        x = _convolved(unit.second, made) + passed
    x = torch.where(mask[:, :, None], torch.relu(_normalised(tower.last, x)), 0.0)
    return x.sum(dim=1) / mask.sum(dim=1, keepdim=True).clamp(min=1)


def _convolved(convolution: Convolution, x: Tensor) -> Tensor:
    """A convolution whose input is zero at padding; what comes out there means nothing."""
    weight = convolution.map.weight
    weight = weight.view(len(weight), 3, -1).transpose(1, 2)
    return functional.conv1d(x.transpose(1, 2), weight, stride=convolution.stride, padding=1).transpose(1, 2)
