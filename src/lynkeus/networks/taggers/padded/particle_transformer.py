"""Particle Transformer on padded tensors."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from lynkeus.networks.taggers.attention import TransformerBlock
from lynkeus.networks.taggers.pairs import Kinematics, of_two
from lynkeus.networks.taggers.particle_transformer import ParticleTransformer

NEVER = -1e9  # what is added to the attention to padding: no infinity, so that a jet without particles is no NaN


class PaddedParticleTransformer(nn.Module):
    """features (n, p, features), vectors (n, p, 4), mask (n, p) to logits (n, classes); n and p are free."""

    groups = ("features", "vectors")
    shared_mask = True

    def __init__(self, network: ParticleTransformer) -> None:
        super().__init__()
        self.network = network

    def forward(self, features: Tensor, vectors: Tensor, mask: Tensor) -> Tensor:
        """Return logits (n, classes)."""
        network = self.network
        x = network.embed(_normalised(network.input_norm, features))
        parts = Kinematics.of(vectors)
        known = of_two(
            Kinematics(*(part[:, :, None] for part in parts)), Kinematics(*(part[:, None] for part in parts))
        )
        for layer in network.pairs:
            known = _normalised(layer, known) if isinstance(layer, nn.BatchNorm1d) else layer(known)
        absent = torch.where(mask, 0.0, NEVER)[:, None, None]
        bias = known.permute(0, 3, 1, 2) + absent
        for block in network.blocks:
            x = _block(block, x, x, bias)
        tokens = network.class_token[None].expand(x.shape[0], 1, -1)  # len(x) would fix it in what is traced
        absent = functional.pad(absent, (1, 0))
        for block in network.class_blocks:
            tokens = _block(block, tokens, torch.cat([tokens, x], dim=1), absent)
        logits: Tensor = network.dense(network.norm(tokens[:, 0]))
        return logits


def _normalised(norm: Any, x: Tensor) -> Tensor:
    scale = norm.weight / torch.sqrt(norm.running_var + norm.eps)
    return (x - norm.running_mean) * scale + norm.bias


def _block(block: Any, x: Tensor, seen: Tensor, bias: Tensor) -> Tensor:
    """One block: `x` asks what is `seen`; a class token asks as it is, particles ask as they are normalised."""
    assert isinstance(block, TransformerBlock)
    attn, width = block.attn, x.shape[-1]
    seen = block.pre_attn_norm(seen)
    asking = x if bias.shape[2] == 1 else seen
    weight, offset = attn.in_proj.weight, attn.in_proj.bias
    query = functional.linear(asking, weight[:width], offset[:width])
    key, value = functional.linear(seen, weight[width:], offset[width:]).chunk(2, dim=-1)
    query, key, value = (one.unflatten(2, (attn.heads, -1)).transpose(1, 2) for one in (query, key, value))
    scores = torch.matmul(query * query.shape[-1] ** -0.5, key.transpose(-1, -2)) + bias
    found = torch.matmul(scores.softmax(dim=-1), value).transpose(1, 2).flatten(2)
    return block.after(x, attn.out_proj(found))
