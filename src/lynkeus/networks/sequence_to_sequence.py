"""Sequence to sequence: one network reads a window to its end, another one writes it again, last shot first.

Malhotra et al. 2016 (arXiv:1607.00148). While training the second network is given the true shot before each one it
writes (teacher forcing); afterwards only its own.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from lynkeus.networks.recurrent import CELLS
from lynkeus.networks.shapes import Samples, Shape
from lynkeus.networks.transformer import Positions, attention_layers


class RecurrentSequences(nn.Module):
    """Samples (b, c, t) to samples: the last state of one cell is the first of the other."""

    def __init__(self, cell: str, shape: Shape, width: int) -> None:
        super().__init__()
        self.reader = CELLS[cell](shape[0], width, batch_first=True)
        self.writer = CELLS[cell](shape[0], width, batch_first=True)
        self.last = nn.Linear(width, shape[0])

    def forward(self, x: Samples) -> Samples:
        _, state = self.reader(x.transpose(1, 2))
        if self.training:
            return _in_order(self.last(self.writer(_shots_before(x), state)[0]))
        shot, written = torch.zeros_like(x[:, None, :, 0]), []
        for _ in range(x.shape[2]):
            out, state = self.writer(shot, state)
            shot = self.last(out)
            written.append(shot)
        return _in_order(torch.cat(written, dim=1))


class TransformerSequences(nn.Module):
    """Samples (b, c, t) to samples: the mean of the shots that were read is the first one that the writer looks at."""

    def __init__(self, shape: Shape, width: int) -> None:
        super().__init__()
        self.length = shape[1]
        self.first = nn.Linear(shape[0], width)
        self.positions = Positions(shape[1] + 1, width)
        self.reader, self.writer = attention_layers(width), attention_layers(width)
        self.last = nn.Linear(width, shape[0])

    def forward(self, x: Samples) -> Samples:
        read = self.reader(self.positions(self.first(x.transpose(1, 2)))).mean(dim=1, keepdim=True)
        if self.training:
            return _in_order(self._write(read, _shots_before(x)[:, 1:]))
        written = x[:, None, :, 0][:, :0]
        for _ in range(self.length):
            written = torch.cat([written, self._write(read, written)[:, -1:]], dim=1)
        return _in_order(written)

    def _write(self, read: Tensor, written: Tensor) -> Tensor:
        """Return (b, k + 1, c): what follows on each of what was read and the k shots written so far."""
        shots = self.positions(torch.cat([read, self.first(written)], dim=1))
        unseen = nn.Transformer.generate_square_subsequent_mask(shots.shape[1], device=shots.device)
        out: Tensor = self.last(self.writer(shots, mask=unseen, is_causal=True))
        return out


def _shots_before(x: Samples) -> Tensor:
    """Return (b, t, c), last shot first: what is known when each one is written; zeros before the first."""
    backwards = x.transpose(1, 2).flip(1)
    return torch.cat([torch.zeros_like(backwards[:, :1]), backwards[:, :-1]], dim=1)


def _in_order(backwards: Tensor) -> Samples:
    return backwards.flip(1).transpose(1, 2)
