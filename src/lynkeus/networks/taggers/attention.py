"""Blocks of attention on packed clouds (Particle Transformer): linear maps on real particles, products among the
particles of a jet in blocks of jets of similar length."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from lynkeus.networks.taggers.dropout import Dropout
from lynkeus.networks.taggers.edge_conv import with_zeros
from lynkeus.networks.taggers.ragged import Block

FEW = 1 << 22  # numbers of particles and pairs in all layers, below which all is kept for the way back: 100 MB
WIDER = 4  # the dense part of a block, in widths of the whole


class Attended(NamedTuple):
    """Jets of similar length, and what is added to their attention: `bias` (m, heads, p, p), -inf at absent keys."""

    block: Block
    bias: Tensor


def biases(pairs: Tensor, square: Tensor, block: Block) -> Tensor:
    """Return (m, heads, p, p) of what is known of all pairs (pairs, heads) and the pair of each two places."""
    m, longest = block.rows.shape
    found = with_zeros(pairs).index_select(0, square.reshape(-1)).view(m, longest, longest, -1).permute(0, 3, 1, 2)
    return found.masked_fill(~block.real[:, None, None, :], -torch.inf)


def attend(query: Tensor, key: Tensor, value: Tensor, bias: Tensor, dropout: Dropout) -> Tensor:
    """Return (m, heads, q, d): values (m, heads, p, d) as keys fit queries, with a bias that broadcasts."""
    if query.device.type != "cpu":
        p = dropout.p if dropout.training else 0.0
        return functional.scaled_dot_product_attention(query, key, value, bias, p)
    # A third less than the fused kernel takes for jets of 60 particles.
    scores = torch.matmul(query * query.shape[-1] ** -0.5, key.transpose(-1, -2)) + bias
    return dropout.product(scores.softmax(dim=-1), value)


class Attention(nn.Module):
    """Multi-head attention among the particles of each jet, or of one class token of each jet to all of them."""

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.in_proj = nn.Linear(width, 3 * width)
        self.out_proj = nn.Linear(width, width)
        self.dropout = Dropout(dropout)

    def forward(self, x: Tensor, blocks: Sequence[Attended]) -> Tensor:
        """Return (rows, width) of particles x (rows, width)."""
        projected = with_zeros(self.in_proj(x))
        found, places = [], []
        for block, bias in blocks:
            m, longest = block.rows.shape
            parts = projected.index_select(0, block.rows.reshape(-1)).view(m, longest, 3, self.heads, -1)
            query, key, value = parts.permute(2, 0, 3, 1, 4)
            seen = attend(query, key, value, bias, self.dropout).transpose(1, 2).reshape(m, longest, -1)
            found.append(seen[block.real])
            places.append(block.rows[block.real])
        if not found:
            return self.out_proj(x)
        return self.out_proj(torch.empty_like(x).index_copy(0, torch.cat(places), torch.cat(found)))

    def of_tokens(self, tokens: Tensor, seen: tuple[Tensor, Tensor], blocks: Sequence[Block]) -> Tensor:
        """Return (n, width) of a token (n, width) of each jet, which sees `seen`: itself (n, width) and all particles
        (rows, width)."""
        width, heads = tokens.shape[1], self.heads
        weight, bias = self.in_proj.weight, self.in_proj.bias
        query = functional.linear(tokens, weight[:width], bias[:width])
        itself, particles = (functional.linear(part, weight[width:], bias[width:]) for part in seen)
        padded, found, jets = with_zeros(particles), [], []
        for block in blocks:
            m, longest = block.rows.shape
            them = padded.index_select(0, block.rows.reshape(-1)).view(m, longest, -1)
            parts = torch.cat([itself[block.jets][:, None], them], dim=1).view(m, longest + 1, 2, heads, -1)
            key, value = parts.permute(2, 0, 3, 1, 4)
            absent = torch.zeros(m, 1, 1, longest + 1, device=tokens.device)
            absent[:, 0, 0, 1:].masked_fill_(~block.real, -torch.inf)
            asked = query[block.jets].view(m, heads, 1, -1)
            found.append(attend(asked, key, value, absent.to(asked.dtype), self.dropout).reshape(m, -1))
            jets.append(block.jets)
        # A jet without particles sees itself only.
        out = itself[:, width:]
        return self.out_proj(out.index_copy(0, torch.cat(jets), torch.cat(found)) if found else out)


class TransformerBlock(nn.Module):
    """Attention, then a dense part, each normalised before and after, with scales that are learnt for heads and for
    what is passed by (NormFormer, arXiv:2110.09456); names as in weaver."""

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.c_attn, self.w_resid = nn.Parameter(torch.ones(heads)), nn.Parameter(torch.ones(width))
        self.pre_attn_norm, self.post_attn_norm = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attn = Attention(width, heads, dropout)
        self.pre_fc_norm, self.post_fc_norm = nn.LayerNorm(width), nn.LayerNorm(WIDER * width)
        self.fc1, self.fc2 = nn.Linear(width, WIDER * width), nn.Linear(WIDER * width, width)
        self.dropout = Dropout(dropout)

    def forward(self, x: Tensor, blocks: Sequence[Attended], sparing: bool = False) -> Tensor:
        """Return particles (rows, width) after the block; `sparing`: what lies between the products of matrices of the
        dense part is computed again on the way back."""
        return self.after(x, self.attn(self.pre_attn_norm(x), blocks), sparing)

    def of_tokens(self, tokens: Tensor, x: Tensor, blocks: Sequence[Block]) -> Tensor:
        """Return the class token of each jet (n, width) after it has seen the particles (rows, width) of its jet."""
        seen = self.pre_attn_norm(tokens), self.pre_attn_norm(x)
        return self.after(tokens, self.attn.of_tokens(tokens, seen, blocks))

    def after(self, x: Tensor, seen: Tensor, sparing: bool = False) -> Tensor:
        """Return x (..., width) after the block, given what it has `seen`, the same shape."""
        scale = self.c_attn.repeat_interleave(seen.shape[-1] // self.heads)
        x = x + self.dropout(self.post_attn_norm(seen * scale))
        wide = self.fc1(self.pre_fc_norm(x))
        dense = checkpoint(self._narrowed, wide, use_reentrant=False) if sparing else self._narrowed(wide)
        return self.dropout(dense) + self.w_resid * x

    def _narrowed(self, wide: Tensor) -> Tensor:
        # Computed again it ends before the product of matrices, whose input was the last that was asked for.
        narrow: Tensor = self.fc2(self.post_fc_norm(self.dropout(functional.gelu(wide))))
        return narrow
