"""Recurrent encoder and decoder of waveforms: a cell with gates reads shot after shot (LSTM 1997, GRU 2014).

Without biases a sample of zeros stays exactly at zero, but the gates then stand half open unless the samples themselves
move them: half of what the cell remembers is gone with every shot.
"""

from __future__ import annotations

from torch import Tensor, nn

from lynkeus.core import SettingsError
from lynkeus.networks.shapes import Codes, Samples, Shape

CELLS: dict[str, type[nn.GRU] | type[nn.LSTM]] = {"gru": nn.GRU, "lstm": nn.LSTM}


class RecurrentEncoder(nn.Module):
    """Samples (b, c, t) to codes (b, latent): a cell reads to the end, its last state goes through a linear map."""

    def __init__(self, cell: str, shape: Shape, latent: int, width: int, bias: bool = True) -> None:
        super().__init__()
        self.cell = CELLS[cell](shape[0], width, bias=bias, batch_first=True)
        self.last = nn.Linear(width, latent, bias=bias)

    def forward(self, x: Samples) -> Codes:
        states, _ = self.cell(x.transpose(1, 2))
        out: Tensor = self.last(states[:, -1])
        return out


class RecurrentDecoder(nn.Module):
    """Codes (b, latent) to samples (b, c, t): a cell that is given the code at every shot."""

    def __init__(self, cell: str, shape: Shape, latent: int, width: int) -> None:
        super().__init__()
        self.length = shape[1]
        self.cell = CELLS[cell](latent, width, batch_first=True)
        self.last = nn.Linear(width, shape[0])

    def forward(self, code: Codes) -> Samples:
        states, _ = self.cell(code[:, None, :].expand(-1, self.length, -1))
        out: Tensor = self.last(states)
        return out.transpose(1, 2)


class ShotByShotEncoder(nn.Module):
    """Samples (b, c, t) to a code of every shot, (b, latent) in all: what a cell makes of it and of those before it.

    Raises SettingsError for a latent that is no multiple of t.
    """

    def __init__(self, cell: str, shape: Shape, latent: int, width: int, bias: bool = True) -> None:
        super().__init__()
        if latent % shape[1]:
            raise SettingsError(
                f"a network that codes each of {shape[1]} shots cannot share {latent} numbers among them"
            )
        self.cell = CELLS[cell](shape[0], width, bias=bias, batch_first=True)
        self.last = nn.Linear(width, latent // shape[1], bias=bias)

    def forward(self, x: Samples) -> Codes:
        states, _ = self.cell(x.transpose(1, 2))
        out: Tensor = self.last(states)
        return out.flatten(1)


class SequenceEncoder(nn.Module):
    """Sequences of pulses (b, length, numbers) to a code of each, (b, length, latent): two LSTMs and a linear map.

    There are no biases: pulses of zeros before the first one leave no trace, as if they were not there.
    """

    def __init__(self, numbers: int, latent: int, width: int) -> None:
        super().__init__()
        self.first = nn.LSTM(numbers, width, bias=False, batch_first=True)
        self.second = nn.LSTM(width, width, bias=False, batch_first=True)
        self.last = nn.Linear(width, latent, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.last(self.second(self.first(x)[0])[0])
        return out
