"""Losses that ask for a discovery instead of for accuracy: significance with an uncertain background (Elwood & Kruecker
2018, arXiv:1806.00322), in one region or in several bins of the output."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from lynkeus.core import SettingsError

SMALL = 0.05  # below this log(1 + x) - x comes from its series
TERMS = 12
LEAST = 1e-9  # events: a sum that is exactly zero has no logarithm
FORMS = ("significance", "inverse", "simple")


@dataclass(frozen=True)
class Discovery:
    """The loss of a search that expects `signal` and `background` events in all, the background uncertain by a part
    `systematic` of itself.

    `form`: "significance" is -Z, "inverse" 1 / Z^2 (whose gradient is large where Z is small), "simple" the rule of
    thumb -s / sqrt(s + b), to start with. `bins`: of the output, whose significances are added in squares, softly
    filled (`softness` of their width); 1: one region, in which each event counts by its output. `least`: background
    events that any region has besides: one simulated event, below which nothing is known, and without which a network
    is drawn to regions that are empty by chance. Raises SettingsError for values out of range.
    """

    signal: float
    background: float
    systematic: float = 0.1
    form: str = "significance"
    bins: int = 1
    softness: float = 0.1
    least: float = 0.0

    def __post_init__(self) -> None:
        if not (self.signal > 0 and self.background > 0):
            raise SettingsError(f"expected events must be positive, got {self.signal:g} and {self.background:g}")
        if not 0 <= self.systematic <= 10:
            raise SettingsError(f"systematic is a part of the background, from 0 to 10, got {self.systematic!r}")
        if self.form not in FORMS:
            raise SettingsError(f"form must be one of {', '.join(FORMS)}, got {self.form!r}")
        if self.bins < 1:
            raise SettingsError(f"bins must be at least 1, got {self.bins}")

    def counts(self, output: Tensor, is_signal: Tensor, weight: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Return expected events (bins,) of signal and background; `output` (n,) in [0, 1], `is_signal` (n,) 0 or 1.

        In double precision: they are differences of large numbers later.
        """
        p = output.double()
        heavy = torch.ones_like(p) if weight is None else weight.double()
        of_signal, of_background = heavy * is_signal, heavy * (1 - is_signal.double())
        shares = p[:, None] if self.bins == 1 else soft_bins(p, self.bins, self.softness)
        s = self.signal * (of_signal[:, None] * shares).sum(0) / of_signal.sum().clamp(min=LEAST)
        b = self.background * (of_background[:, None] * shares).sum(0) / of_background.sum().clamp(min=LEAST)
        return s, b + self.least

    def significance(self, output: Tensor, is_signal: Tensor, weight: Tensor | None = None) -> Tensor:
        """Scalar: the Asimov significance in sigmas, of all bins together."""
        s, b = self.counts(output, is_signal, weight)
        return squared_significance(s, b, self.systematic * b).sum().clamp(min=1e-18).sqrt()

    def __call__(self, output: Tensor, is_signal: Tensor, weight: Tensor | None = None) -> Tensor:
        """Scalar loss of a batch."""
        if self.form == "simple":
            s, b = self.counts(output, is_signal, weight)
            return -(s**2 / (s + b + LEAST)).sum().clamp(min=1e-18).sqrt()
        z = self.significance(output, is_signal, weight)
        return -z if self.form == "significance" else 1.0 / (z**2 + 1e-6)

    def of_classes(self, output: Tensor, y: Tensor, signal: int, weight: Tensor | None = None) -> Tensor:
        """Scalar loss of a batch of numbered classes (n,), of which one is the signal and all others background."""
        return self(output, y == signal, weight)


def soft_bins(p: Tensor, bins: int, softness: float) -> Tensor:
    """Return (n, bins) how much of an event falls into each bin of [0, 1], with soft edges, 1 in all."""
    inner = torch.arange(1, bins, dtype=p.dtype, device=p.device) / bins
    above = torch.sigmoid((p[:, None] - inner) / (softness / bins))
    ones = torch.ones_like(p)[:, None]
    return torch.cat([ones, above], 1) - torch.cat([above, torch.zeros_like(ones)], 1)


def squared_significance(s: Tensor, b: Tensor, sigma: Tensor) -> Tensor:
    """Return Z^2 of expected signal s, background b and its uncertainty, each (bins,) of double precision.

    The same as `lynkeus.metrics.significance`, with gradients that stay finite where there is nothing.
    """
    b = b + LEAST
    v = sigma**2 + LEAST**2
    both = b * b + (s + b) * v
    x, y = s * b / both, v * s / (b * (b + v))
    linear = (s * b) ** 2 / (both * (b + v))
    return 2.0 * (linear + (s + b) * _log1p_minus(x) - b * b / v * _log1p_minus(y)).clamp(min=0.0)


def _log1p_minus(x: Tensor) -> Tensor:
    """Return log(1 + x) - x for x >= 0, to full precision."""
    near, far = x.clamp(max=SMALL), x.clamp(min=SMALL)
    series = torch.zeros_like(near)
    for k in range(TERMS + 1, 1, -1):
        series = near * series + (-1.0) ** (k + 1) / k
    return torch.where(x < SMALL, near * near * series, torch.log1p(far) - far)


def one_event(expected: float, weight: Tensor) -> float:
    """Return how many expected events one simulated event stands for, of so many by weights (n,)."""
    heavy = weight.double()
    return expected * float((heavy**2).sum() / heavy.sum().clamp(min=LEAST) ** 2)


def fewest_background(batch: int, share: float, efficiency: float = 0.01) -> float:
    """Return how many background events a batch has in a region that so many of them reach: with fewer than ten the
    loss of a batch is that of its fluctuations."""
    return batch * (1.0 - share) * efficiency
