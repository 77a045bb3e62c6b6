"""Profiled: the expected discovery significance with nuisance parameters, as a loss: each background's normalisation is
uncertain, in all bins together, and what the other bins say of it counts (profile likelihood of the Asimov data).

Cowan, Cranmer, Gross & Vitells 2011 (EPJ C 71, 1554); learning through the fit: de Castro & Dorigo 2019
(arXiv:1806.04743). The nuisance parameters are fitted by Newton steps outside the graph: at their optimum the
likelihood does not change with them, so that the gradient is exact without going through the fit.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import log

import torch
from torch import Tensor

from lynkeus.core import SettingsError
from lynkeus.training.discovery import LEAST, soft_bins

STEPS = 30
SMALLEST = 1e-6  # events in a bin that has none


@dataclass(frozen=True)
class Profiled:
    """The loss of a search that expects so many events of each class (`expected`), whose backgrounds are each uncertain
    by a factor 1 + `systematic` (log-normal), in `bins` of the output, softly filled (`softness` of their width), with
    `least` events of background besides in each (see `Discovery`).

    Raises SettingsError for values out of range.
    """

    expected: tuple[float, ...]
    systematic: float = 0.1
    bins: int = 1
    softness: float = 0.1
    least: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.systematic <= 10:
            raise SettingsError(f"systematic is a part of the background, from 0 to 10, got {self.systematic!r}")
        if self.bins < 1:
            raise SettingsError(f"bins must be at least 1, got {self.bins}")

    def counts(self, output: Tensor, y: Tensor, weight: Tensor | None = None) -> Tensor:
        """Return expected events (classes, bins) of outputs (n,) of events of numbered classes (n,)."""
        p = output.double()
        heavy = torch.ones_like(p) if weight is None else weight.double()
        shares = p[:, None] if self.bins == 1 else soft_bins(p, self.bins, self.softness)
        own = torch.nn.functional.one_hot(y, len(self.expected)).double() * heavy[:, None]
        scale = torch.tensor(self.expected, dtype=p.dtype, device=p.device) / own.sum(0).clamp(min=LEAST)
        return (own * scale).T @ shares

    def squared(self, signal: Tensor, backgrounds: Tensor) -> Tensor:
        """Scalar: Z^2 of expected signal (bins,) and backgrounds (classes, bins)."""
        backgrounds = backgrounds + max(self.least / len(backgrounds), SMALLEST)
        seen = signal + backgrounds.sum(0)
        factor = log(1.0 + self.systematic)
        theta = _fit(seen.detach(), backgrounds.detach(), factor) if factor else torch.zeros(len(backgrounds)).double()
        theta = theta.to(seen.device)
        predicted = (backgrounds * torch.exp(factor * theta)[:, None]).sum(0)
        deviance = seen * torch.log(seen / predicted) - seen + predicted
        return (2.0 * deviance.sum() + (theta**2).sum()).clamp(min=0.0)

    def significance(self, output: Tensor, y: Tensor, signal: int, weight: Tensor | None = None) -> Tensor:
        """Scalar: the significance in sigmas of all bins together."""
        counts = self.counts(output, y, weight)
        others = torch.arange(len(counts), device=counts.device) != signal
        return self.squared(counts[signal], counts[others]).clamp(min=1e-18).sqrt()

    def of_classes(self, output: Tensor, y: Tensor, signal: int, weight: Tensor | None = None) -> Tensor:
        """Scalar loss of a batch, minus the significance."""
        return -self.significance(output, y, signal, weight)


def _fit(seen: Tensor, backgrounds: Tensor, factor: float) -> Tensor:
    """Return (classes,) the nuisance parameters that fit `seen` (bins,) best without a signal."""
    theta = torch.zeros(len(backgrounds), dtype=seen.dtype, device=seen.device)
    ones = torch.eye(len(backgrounds), dtype=seen.dtype, device=seen.device)

    def loss(at: Tensor) -> Tensor:
        scaled = (backgrounds * torch.exp(factor * at)[:, None]).sum(0)
        return (scaled - seen * torch.log(scaled)).sum() + 0.5 * (at**2).sum()

    value = loss(theta)
    for _ in range(STEPS):
        scaled = backgrounds * torch.exp(factor * theta)[:, None]
        total = scaled.sum(0)
        by = factor * (scaled * (1 - seen / total)).sum(1) + theta
        bent = factor**2 * (scaled * (seen / total**2)) @ scaled.T + ones  # positive: Gauss-Newton
        bent = bent + torch.diag((factor**2 * (scaled * (1 - seen / total)).sum(1)).clamp(min=0.0))
        step, size = torch.linalg.solve(bent, by), 1.0
        while size > 1e-4 and not bool((new := loss(theta - size * step)) <= value):
            size /= 2
        if size <= 1e-4:
            break
        theta, done = theta - size * step, bool(value - new < 1e-12 * value.abs())
        value = new
        if done:
            break
    return theta
