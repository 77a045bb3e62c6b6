"""Particle Transformer (Qu, Li and Qian 2022, arXiv:2202.03772) on packed clouds.

The same function as version 1 of weaver-core 0.5.3 with the same weights; also its statistics of batch normalisation of
pairs are the same in training, as weaver leaves out padded pairs there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from lynkeus.networks.taggers.attention import FEW, Attended, TransformerBlock, biases
from lynkeus.networks.taggers.edge_conv import fold
from lynkeus.networks.taggers.pair_training import embedded
from lynkeus.networks.taggers.pairs import NAMES, Pairs, pair_features
from lynkeus.networks.taggers.ragged import Groups, blocks, joined, portions, role, take

PLACES = 2048  # particles of a block of jets of similar length
PORTION = 2048  # particles that go through the whole network at a time where nothing is trained


@dataclass(frozen=True)
class ParticleTransformerSizes:
    """`embed`: widths of the layers that each particle goes through, the last is that of all blocks; `pairs`: widths
    of those of a pair; `layers` blocks of attention among particles, `class_layers` of the class token; `dense`: width
    and dropout of layers after them; `dropout` in the blocks; `pair_activation`: a GELU follows the last layer of
    pairs, as in the example networks of weaver's (`use_pre_activation_pair=False`), not in its own default."""

    embed: tuple[int, ...] = (128, 512, 128)
    pairs: tuple[int, ...] = (64, 64, 64)
    heads: int = 8
    layers: int = 8
    class_layers: int = 2
    dense: tuple[tuple[int, float], ...] = ()
    dropout: float = 0.1
    pair_activation: bool = False


PUBLISHED = ParticleTransformerSizes()


class ParticleTransformer(nn.Module):
    """Particles of jets to logits (n, classes): attention among the particles of a jet, biased by what is known of each
    pair, then of a class token to all of them.

    forward(groups) reads a group that ends in "features" (rows, features) and one that ends in "vectors" (rows, 4) of
    px, py, pz and E in GeV.
    """

    def __init__(self, features: int, classes: int, sizes: ParticleTransformerSizes = PUBLISHED) -> None:
        super().__init__()
        self.sizes, self.features, self.classes = sizes, features, classes
        width = sizes.embed[-1]
        self.input_norm = nn.BatchNorm1d(features)
        layers: list[nn.Module] = []
        for given, made in zip((features, *sizes.embed), sizes.embed, strict=False):
            layers += [nn.LayerNorm(given), nn.Linear(given, made), nn.GELU()]
        self.embed = nn.Sequential(*layers)
        layers = [nn.BatchNorm1d(len(NAMES))]
        widths = (*sizes.pairs, sizes.heads)
        for given, made in zip((len(NAMES), *widths), widths, strict=False):
            layers += [nn.Linear(given, made), nn.BatchNorm1d(made), nn.GELU()]
        self.pairs = nn.Sequential(*(layers if sizes.pair_activation else layers[:-1]))
        self.blocks = nn.ModuleList(TransformerBlock(width, sizes.heads, sizes.dropout) for _ in range(sizes.layers))
        self.class_token = nn.Parameter(torch.zeros(1, width))
        self.class_blocks = nn.ModuleList(
            TransformerBlock(width, sizes.heads, 0.0) for _ in range(sizes.class_layers)
        )  # fmt: skip
        self.norm = nn.LayerNorm(width)
        layers, given = [], width
        for made, dropout in sizes.dense:
            layers += [nn.Linear(given, made), nn.ReLU(), nn.Dropout(dropout)]
            given = made
        self.dense = nn.Sequential(*layers, nn.Linear(given, classes))
        self._begin()

    def _begin(self) -> None:
        """Weights to begin with, as published: linear maps by Glorot, those of queries, keys and values each for
        itself; what a deeper block adds is smaller."""
        on_pairs = set(self.pairs.modules())
        for name, module in self.named_modules():
            if isinstance(module, nn.Linear) and module not in on_pairs:
                parts = module.weight.chunk(3) if name.endswith("in_proj") else (module.weight,)
                for part in parts:
                    nn.init.xavier_uniform_(part.data)
                nn.init.zeros_(module.bias)
        nn.init.trunc_normal_(self.class_token, std=0.02)
        for depth, block in enumerate(self.blocks, 1):
            assert isinstance(block, TransformerBlock)
            for linear in (block.attn.out_proj, block.fc2):
                linear.weight.data /= (2.0 * depth) ** 0.5

    def forward(self, groups: Groups) -> Tensor:
        """Return logits (n, classes) of jets."""
        features, vectors = role(groups, "features"), role(groups, "vectors")
        if self.training or torch.is_grad_enabled():
            trained = self.training and features[0].device.type == "cpu"
            embed = (lambda x: embedded(self.pairs, x)) if trained else self.pairs
            return self._logits(features[0], vectors[0], features[1], embed)
        embed = _folded(self.pairs)
        parts = portions(features[1], PORTION)
        found = []
        for jets in parts:
            own, begins = take(features, jets)
            found.append(self._logits(own, take(vectors, jets)[0], begins, embed))
        return joined(found, parts)

    def _logits(self, features: Tensor, vectors: Tensor, offsets: Tensor, embed: Any) -> Tensor:
        x = self.embed(self.input_norm(features))
        pairs = Pairs.of(offsets)
        known = embed(pair_features(vectors, pairs))
        alike = list(blocks(offsets, PLACES))
        attended = [Attended(block, biases(known, pairs.square(block), block)) for block in alike]
        numbers = len(self.blocks) * (x.numel() + known.numel())
        sparing = self.training and x.requires_grad and x.device.type == "cpu" and numbers > FEW
        for block in self.blocks:
            x = block(x, attended, sparing)
        tokens = self.class_token.expand(len(offsets) - 1, -1)
        for block in self.class_blocks:
            assert isinstance(block, TransformerBlock)
            tokens = block.of_tokens(tokens, x, alike)
        logits: Tensor = self.dense(self.norm(tokens))
        return logits


def _folded(layers: nn.Sequential) -> Any:
    """Return what embeds pairs, with all normalisation within its linear maps."""
    first: Any = layers[0]
    scale = first.weight / torch.sqrt(first.running_var + first.eps)
    shift = first.bias - first.running_mean * scale
    maps = [fold(layers[at], layers[at + 1]) for at in range(1, len(layers), 3)]
    activated = isinstance(layers[-1], nn.GELU)
    weight, bias = maps[0]
    maps[0] = weight * scale, bias + weight @ shift

    def embed(x: Tensor) -> Tensor:
        for weight, bias in maps[:-1]:
            x = functional.gelu(functional.linear(x, weight, bias))
        last = functional.linear(x, *maps[-1])
        return functional.gelu(last) if activated else last

    return embed
