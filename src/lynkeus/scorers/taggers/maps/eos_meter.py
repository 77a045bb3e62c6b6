"""The equation-of-state-meter: which transition a heavy-ion collision went through, from its spectrum of pions.

After Pang et al. 2018 (arXiv:1612.04262). What differs from one simulation to another, and says nothing of the
transition, is taken out or made random: how many particles there are (each spectrum is divided by its sum), the angle
of the collision and its mirror image, and how many particles were counted.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from lynkeus.core import About, Array, Floats, LastBatch, SettingsError
from lynkeus.networks.maps.profile import Profile
from lynkeus.scorers.taggers.maps.tagger import METHODS, MapTagger
from lynkeus.scorers.taggers.maps.task import turned
from lynkeus.scorers.taggers.tagger import names_of
from lynkeus.training import TrainSettings
from lynkeus.transforms.spectra import conventional, even_only, event_plane, floor_of, harmonics, shares

HARMONICS = "harmonics"
DEFAULTS = TrainSettings(
    epochs=60, batch_size=32, learning_rate=1e-3, decay=1e-5, patience=15, held_out=0.1, average=0.98
)


@dataclass
class EosMeter(MapTagger):
    """The classes are the equations of state, the scores their probabilities; NaN for an empty spectrum.

    `method`: "harmonics": logistic regression of the spectrum, its bends and its flow of all orders in each bin of p_T;
    "published" or "released" network, "dense", "pca" (20 scores and logistic regression), or "observables": mean p_T,
    slope, v2, v3, and logistic regression; `profile`: whether a network is shown the spectrum in p_T, its bends and the
    flow each by itself; `tilt`: how much spectra are made steeper or flatter at random in training, in logarithms at
    both ends; `thinning`: share of the spectra of a batch whose particles are counted anew, about `particles` of them;
    `classes`: () all that the samples have.
    """

    about: ClassVar[About] = About(
        ("image", "waveform"), True, "prediction differences", "minutes", labels="classes", constants=True, tags=True
    )
    name: ClassVar[str] = "eos_meter"
    defaults: ClassVar[TrainSettings] = DEFAULTS
    rings: ClassVar[tuple[bool, bool]] = (False, True)  # phi goes round
    axes: ClassVar[tuple[str, str]] = ("bin of p_T", "bin of phi, from the event plane")
    classes: tuple[str, ...] = ()
    method: str = HARMONICS
    profile: bool = True
    tilt: float = 0.0
    thinning: float = 0.0
    particles: float = 20_000.0
    seed: int = 0
    training: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.classes = names_of(self.classes)
        self._memo = LastBatch()
        if self.method not in (HARMONICS, *METHODS):
            raise SettingsError(f"method must be one of {', '.join((HARMONICS, *METHODS))}, got {self.method!r}")

    def look(self, values: Array) -> None:
        """Learn mean and spread of the logarithm of each bin of p_T: in phi every angle is as good as another."""
        below = int((np.nan_to_num(values) < 0).any(axis=(1, 2, 3)).sum())
        self.messages += [f"{below} spectra have bins below 0, which count as empty"] if below else []
        share = shares(values)
        self.floor_ = floor_of(share)
        logs = np.log(share + self.floor_)
        self.centre_ = np.nanmean(logs, axis=(0, 3), keepdims=True)[0]
        self.sigma_ = np.maximum(np.nanstd(logs, axis=(0, 3), keepdims=True)[0], 1e-6)

    def inputs(self, values: Array) -> Floats:
        """Return logarithms of the shares, each bin of p_T in its spreads."""
        found = (np.log(shares(values) + self.floor_) - self.centre_) / self.sigma_
        return np.clip(found, -10.0, 10.0).astype(np.float32)

    def front(self, shape: tuple[int, ...]) -> nn.Module:
        """Return the spectrum in p_T, its bends, and the flow, as three maps."""
        return Profile(shape[1]) if self.profile else nn.Identity()

    def back(self, x: Floats) -> Floats:
        """Return spectra."""
        return np.maximum(np.exp(x * self.sigma_ + self.centre_) - self.floor_, 0.0)

    def observables_of(self, values: Array) -> Floats:
        """Return mean p_T, slope, curvature and flow, or all of the spectrum that does not hang on its angle."""
        return harmonics(values, self.floor_) if self.method == HARMONICS else conventional(values)

    def copies(self, values: Array, truth: Array) -> tuple[Array, Array]:
        """Return for harmonics also the same collisions without flow of odd orders, as smooth initial states have none:
        what was learned from lumpy ones alone did not hold for these."""
        if self.method != HARMONICS or values.shape[-1] % 2:
            return values, truth
        maps = values[:, None] if values.ndim == 3 else values
        return np.concatenate([maps, even_only(maps)]), np.concatenate([truth, truth])

    def turn(self, values: Array) -> Array:
        """Return (n,) by how many bins along phi maps are turned before they are compared with one another."""
        return event_plane(values[:, None] if values.ndim == 3 else values)

    def change(self, x: Tensor) -> Tensor:
        """Return spectra that are turned and mirrored, some with particles that are counted anew."""
        x = turned(x, self.rings)
        centre, sigma = (torch.from_numpy(one.astype(np.float32)).to(x.device) for one in (self.centre_, self.sigma_))
        if self.tilt:
            along = torch.linspace(-1, 1, x.shape[2], device=x.device)[:, None]
            x = (x + self.tilt * torch.randn(len(x), 1, 1, 1, device=x.device) * along / sigma).clamp(-10, 10)
        if not self.thinning:
            return x
        share = (torch.exp(x * sigma + centre) - self.floor_).clamp(min=0)
        many = self.particles * torch.exp(torch.randn(len(x), 1, 1, 1, device=x.device))
        counted = torch.poisson(share / share.sum(dim=(1, 2, 3), keepdim=True) * many) / many
        again = ((torch.log(counted + self.floor_ + 0.5 / many) - centre) / sigma).clamp(-10, 10)
        chosen = torch.rand(len(x), 1, 1, 1, device=x.device) < self.thinning
        return torch.where(chosen, again, x)

    def to_arrays(self) -> dict[str, Array]:
        """Return what was learned."""
        own = {"centre": self.centre_, "sigma": self.sigma_, "floor": np.array([self.floor_])}
        return super().to_arrays() | own

    def take_arrays(self, arrays: Mapping[str, Array], folder: Any) -> None:
        """Take what `to_arrays` returned. Raises ModelError naming what is damaged."""
        self.centre_, self.sigma_, self.floor_ = arrays["centre"], arrays["sigma"], float(arrays["floor"][0])
        super().take_arrays(arrays, folder)
