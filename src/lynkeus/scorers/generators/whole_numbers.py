"""WholeNumbers: a diffusion model of flux that knows that heights and pairs are whole numbers.

What is behind a noisy number is one of a few values, so the network gives the probability of each, and the best guess
is their mean (as continuous diffusion of categories: Dieleman et al. 2022, arXiv:2211.15089). What the noisy number
itself says of them is the normal distribution of the noise, exactly; the network learns what those around it say.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from lynkeus.core import Floats
from lynkeus.scorers.generators.diffusion import Denoising, levels_of
from lynkeus.training import TrainSettings

MOST_HEIGHT, MOST_PAIRS = 6, 6  # from the even rise of heights, and of l, that have a probability
HEIGHTS, PAIRS = 2 * MOST_HEIGHT + 1, MOST_PAIRS + 1
LOGITS = HEIGHTS + 2 * PAIRS
WHOLE = TrainSettings(epochs=40, batch_size=8, learning_rate=2e-3, patience=40, held_out=0.2, schedule="cosine")


class WholeNumbers(Denoising):
    """Maps are heights less their even rise, l_x and l_t, in their spreads: (values - `centre`) / `sigma`, (3,) each;
    what is known of them begins with sine and cosine of the rise (`heights.maps_known`)."""

    levels = (0.1, 20.0)  # below the first all numbers are told apart
    learned = (-0.4, 1.1)
    judged = (0.2, 0.5, 1.0, 2.0)
    named, good = "nats", 0.6931  # of a number that is likelier than not
    steps = 40

    def __init__(self, denoiser: nn.Module, centre: Floats, sigma: Floats) -> None:
        super().__init__(denoiser)
        self.centre, self.sigma = (torch.tensor(one, dtype=torch.float32) for one in (centre, sigma))

    def _values(self, known: Tensor) -> list[Tensor]:
        """Return of each channel what it can be, in its spreads (b or 1, values, t or 1, x or 1)."""
        rise = torch.atan2(known[:, 0], known[:, 1])[:, None] / (2 * torch.pi)  # less the nearest whole number
        counts = (torch.arange(HEIGHTS) - MOST_HEIGHT, torch.arange(PAIRS), torch.arange(PAIRS))
        own = [one.to(known)[None, :, None, None] for one in counts]
        own[0] = own[0] - rise
        return [(one - self.centre[k].item()) / self.sigma[k].item() for k, one in enumerate(own)]

    def _logits(self, x: Tensor, level: Tensor, known: Tensor, values: list[Tensor]) -> list[Tensor]:
        """Return of each channel of noisy maps the logarithms of the probabilities of its values (b, values, t, x)."""
        own = level[:, None, None, None]
        found = self.networks["denoiser"](x / (own**2 + 1).sqrt(), level.log(), known)
        each = found.split([HEIGHTS, PAIRS, PAIRS], dim=1)
        seen = [one - 0.5 * ((x[:, k : k + 1] - values[k]) / own) ** 2 for k, one in enumerate(each)]
        return [functional.log_softmax(one, dim=1) for one in seen]

    def clean(self, x: Tensor, level: Tensor, known: Tensor) -> Tensor:
        """Return the mean of what can be behind noisy maps x (b, 3, t, x) at their levels (b,)."""
        values = self._values(known)
        logits = self._logits(x, level, known, values)
        means = [(one.exp() * own).sum(dim=1) for one, own in zip(logits, values, strict=True)]
        return torch.stack(means, dim=1)

    def _losses(self, x: Tensor, level: Tensor, noise: Tensor, known: Tensor) -> Tensor:
        """Return (b,) minus the logarithm of the probability of what is behind the noise, a number."""
        values = self._values(known)
        logits = self._logits(x + noise * level[:, None, None, None], level, known, values)
        nats = torch.zeros(len(x), device=x.device)
        for k, (one, own) in enumerate(zip(logits, values, strict=True)):
            true = (x[:, k : k + 1] - own).abs().argmin(dim=1, keepdim=True)
            nats = nats - one.gather(1, true).flatten(1).mean(dim=1) / len(values)
        return nats

    def made(self, known: Tensor, shape: tuple[int, ...], steps: int, draw: torch.Generator) -> Tensor:
        """Return maps (b, *shape) for what is known of each, from noise of the `draw` by the steps of Ho et al. 2020
        (arXiv:2006.11239), which add noise on their way: what was rounded wrongly can be mended later."""
        levels = levels_of(self.levels, self.steps)
        x = torch.randn((len(known), *shape), generator=draw).to(known.device) * self.levels[1]
        for level, lower in pairwise(levels):
            kept = (lower / level) ** 2
            noise = torch.randn(x.shape, generator=draw).to(known.device)
            guess = self.clean(x, level.expand(len(x)).to(x.device), known)
            x = guess + kept * (x - guess) + lower * (1 - kept).sqrt() * noise
        return self.clean(x, levels[-1].expand(len(x)).to(x.device), known)
