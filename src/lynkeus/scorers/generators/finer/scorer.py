"""SuperResolution: fine images from coarse ones: the most probable, how far off it may be, and draws of all that fit.

A linear filter says what is linear, a network mean and spread of each fine pixel (Nix & Weigend 1994), and a diffusion
model how the rest hangs together (as residual diffusion: Whang et al. 2022, arXiv:2112.02475), or a conditional GAN.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import torch

from lynkeus.core import About, Array, Batch, Evidence, Floats, ModelError, Schema, SchemaError, Scores, SettingsError
from lynkeus.core import Source as Source_
from lynkeus.files.arrays import arrays_of, part_of, read_scorer, write_folder
from lynkeus.networks.maps.denoiser import Denoiser
from lynkeus.networks.maps.finer import Finer
from lynkeus.scorers.generators.diffusion import Denoising
from lynkeus.scorers.generators.finer.check import Spreads, compared, linear_of, lines_of
from lynkeus.scorers.generators.finer.game import FinerGame
from lynkeus.scorers.generators.finer.mixing import Mixing
from lynkeus.scorers.generators.finer.patches import Patches
from lynkeus.scorers.generators.finer.pixels import SCALES, Pixels
from lynkeus.training import History, KnownSet, TrainSettings, in_chunks, session, train
from lynkeus.training.estimates import Estimates, Rests
from lynkeus.training.seeded import seeded
from lynkeus.transforms.resolution import REACH, LinearFilter, coarser, from_depth, to_depth

METHODS = ("diffusion", "gan", "network")
GIVES = ("sample", "mean", "spread")
MEAN = TrainSettings(epochs=40, batch_size=32, learning_rate=2e-3, patience=40, held_out=0.1, average=0.98)
DRAWN = TrainSettings(epochs=40, batch_size=32, learning_rate=2e-3, patience=40, held_out=0.1, average=0.99)
PLAYED = TrainSettings(epochs=30, batch_size=48, learning_rate=5e-4, patience=30, held_out=0.1, schedule="cosine")
NETWORKS = {"mean/": "mean_", "drawn/": "drawn_"}
HISTORY = "training.json"
BLOCKS = 3
STEPS = 12  # of a draw
SMALLEST = 2 * REACH + 1  # coarse pixels
LARGEST_FACTOR = 8
LEAST_LOG, MOST_LOG = -7.0, 4.0
FEWEST = 20  # images
MOST_PLAIN, MOST_CHECKED = 60, 40  # images that the linear filter is learned from, and that all are compared on
AT_ONCE = 400_000  # fine pixels and channels that are made at a time
NO_SCORES = "super_resolution makes images and scores none: lynkeus generate MODEL --set low=COARSE -o FILE"


@dataclass
class SuperResolution:
    """`factor`: fine pixels along an axis in place of a coarse one, their mean; `method` of draws: "diffusion", "gan",
    or "network": normal, alike only within a coarse pixel; `scale`: "linear", "root" (deposits), "auto"; `patch` coarse
    pixels on a side of the `patches` that networks learn from; `width` of these; `training` of the network, `denoising`
    of the diffusion model or of the game."""

    about: ClassVar[About] = About(("image",), True, "", "minutes", generates=True, constants=True)
    outputs: ClassVar[tuple[str, ...]] = ()
    factor: int = 4
    method: str = "diffusion"
    scale: str = "auto"
    width: int = 32
    patch: int = 16
    patches: int = 1200
    seed: int = 0
    training: Mapping[str, Any] = field(default_factory=dict)
    denoising: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, known in (("method", METHODS), ("scale", SCALES)):
            if getattr(self, name) not in known:
                raise SettingsError(f"{name} must be one of {', '.join(known)}, got {getattr(self, name)!r}")
        if not isinstance(self.factor, int) or not 2 <= self.factor <= LARGEST_FACTOR:
            raise SettingsError(f"factor must be a whole number from 2 to {LARGEST_FACTOR}, got {self.factor!r}")

    def fit(self, source: Source_) -> Self:
        """Learn from fine images, which are made coarse. Raises SchemaError for other samples, or images that are too
        few or smaller than the filter."""
        if source.schema.kind != "image":
            raise SchemaError(f"the scorer super_resolution reads images, not a {source.schema.kind}")
        self.schema_: Schema = replace(source.schema, shape=(source.schema.shape[0], None, None))
        batches = [np.asarray(batch.values) for batch in source]
        for one in batches:
            self._require(one.shape[2] // self.factor, one.shape[3] // self.factor)
        images = [one[None] for batch in batches for one in batch]
        if len(images) < FEWEST:
            raise SchemaError(f"super_resolution learns from {FEWEST} images at least, got {len(images)}: give more")
        self.pixels_ = Pixels.fit(images, self.scale)
        taught, held = [one for k, one in enumerate(images) if k % 5], images[::5]
        self._learn(taught)
        self.spreads_ = Spreads.none()
        self.spreads_ = Spreads.fit(*self._pulls(held[::2]))
        self.plain_ = linear_of(taught[:: max(1, len(taught) // MOST_PLAIN)], self.factor)
        self.facts = compared(self, held[1::2][:MOST_CHECKED])
        self.messages = lines_of(self.facts)
        return self

    def compare(self, images: Sequence[Array]) -> list[str]:
        """Return in lines how near fine images (1, c, row, column) are to those that are made of their coarse ones."""
        return lines_of(compared(self, images))

    def _require(self, rows: int, columns: int) -> None:
        if min(rows, columns) < SMALLEST:
            raise SchemaError(
                f"images of {rows} x {columns} coarse pixels are smaller than the filter of {SMALLEST} x {SMALLEST}: "
                f"give larger ones, with factor {self.factor} at least {SMALLEST * self.factor} fine pixels on a side"
            )

    def _learn(self, images: list[Array]) -> None:
        cut = Patches.of(images, self.factor, (self.patch, self.patches), self.seed)
        low, high = self.pixels_.read(coarser(cut, self.factor)), self.pixels_.read(cut)
        self.filter_ = LinearFilter.fit(low, high, self.factor, self.seed)
        rest = to_depth(high - self.filter_.of(low, self.factor), self.factor)
        self.rho_ = np.maximum(rest.std(axis=(0, 2, 3)), 1e-9)[:, None, None]
        self.patches_ = Patches.fit(low)
        x, y = self.patches_.inputs(low), (rest / self.rho_).astype(np.float32)
        with seeded(self.seed):
            self.mean_ = self._mean_task(x.shape[1], y.shape[1])
        self.history_ = train(self.mean_, KnownSet(x, y, named=False), MEAN.replaced(self.training), self.seed, "mean")
        middle, log_sigma = self._parts(x)
        z = (y - middle) / np.exp(log_sigma)
        self.mixing_ = Mixing.fit(z)
        if self.method == "network":
            return
        z = self.mixing_.apart(z).astype(np.float32)
        with seeded(self.seed):
            self.drawn_ = self._drawn_task(x.shape[1], y.shape[1])
        known = np.concatenate([x, middle, log_sigma], axis=1).astype(np.float32)
        settings = (PLAYED if self.method == "gan" else DRAWN).replaced(self.denoising)
        self.drawing_ = train(self.drawn_, KnownSet(z, known, named=False), settings, self.seed, "draws")

    def _mean_task(self, given: int, made: int) -> Estimates:
        return Rests(Finer(given, 2 * made, self.width, BLOCKS))

    def _drawn_task(self, given: int, made: int) -> Denoising | FinerGame:
        if self.method == "gan":
            return FinerGame(made, given + 2 * made, self.width, BLOCKS)
        return Denoising(Denoiser(made, given + 2 * made, self.width, BLOCKS, (False, False)))

    def _parts(self, x: Floats) -> tuple[Floats, Floats]:
        """Return of inputs the middle and the log spread of each fine pixel, in units of `rho_`."""
        device = session().torch_device
        network = self.mean_.networks.to(device).eval()
        found = in_chunks(lambda part: torch.cat(self.mean_.parts(part), dim=1), torch.from_numpy(x).to(device))
        network.to("cpu")
        middle, log_variance = np.split(found.cpu().numpy(), 2, axis=1)
        return middle, np.clip(0.5 * log_variance, LEAST_LOG, MOST_LOG)

    def refine(self, low: Batch, seed: int = 0, give: str = "sample") -> Batch:
        """Return fine images of coarse ones: a "sample" of those that fit, the same for the same seed, the "mean" of
        them, or the "spread": half a 68 % interval around the mean, in units of the pixels.

        Raises SchemaError for images with other channels or smaller than the filter, SettingsError for another `give`.
        """
        if give not in GIVES:
            raise SettingsError(f"give must be one of {', '.join(GIVES)}, got {give!r}")
        values = np.asarray(low.values)
        if low.schema.kind != "image" or values.shape[1] != self.schema_.shape[0]:
            raise SchemaError(
                f"super_resolution was fitted on images of {self.schema_.shape[0]} channels, not on samples of the "
                f"kind {low.schema.kind} and the shape {values.shape[1:]}"
            )
        self._require(*values.shape[2:])
        size = max(1, AT_ONCE // (values[0].size * self.factor**2))
        draw = torch.Generator().manual_seed(seed)
        parts = [self._refined(values[k : k + size], draw, give) for k in range(0, len(values), size)]
        return Batch(self.schema_, np.concatenate(parts), truth=low.truth, meta=low.meta)

    def _refined(self, low: Array, draw: torch.Generator, give: str) -> Array:
        read = self.pixels_.read(low)
        x = self.patches_.inputs(read)
        middle, log_sigma = self._parts(x)
        base = self.filter_.of(read, self.factor)
        if give == "sample":
            z = self._drawn(np.concatenate([x, middle, log_sigma], axis=1), middle.shape[1], draw)
            found = self.pixels_.back(base + from_depth((middle + np.exp(log_sigma) * z) * self.rho_, self.factor))
            return self.pixels_.written(self.pixels_.consistent(found, low, self.factor))
        mean, spread = self.pixels_.estimate(
            base + from_depth(middle * self.rho_, self.factor),
            from_depth(np.exp(log_sigma) * self.rho_, self.factor),
        )
        if give == "spread":
            return np.asarray(self.spreads_.of(spread), np.float32)
        found = self.pixels_.consistent(mean, low, self.factor)
        return self.pixels_.written(found)

    def _drawn(self, known: Floats, channels: int, draw: torch.Generator) -> Floats:
        """Return (n, channels, row, column) what is not known of each fine pixel, in its spreads."""
        shape = (channels, *known.shape[2:])
        if self.method == "network":
            return self.mixing_.mixed(torch.randn((len(known), *shape), generator=draw).double().numpy())
        device = session().torch_device
        self.drawn_.networks.to(device).eval()
        with torch.no_grad():
            own = torch.from_numpy(known.astype(np.float32)).to(device)
            game = self.drawn_ if isinstance(self.drawn_, FinerGame) else None
            made = game.made(own, draw) if game else self.drawn_.made(own, shape, STEPS, draw)  # type: ignore[call-arg]
            found = made.cpu().double().numpy()
        self.drawn_.networks.to("cpu")
        return self.mixing_.mixed(found)

    def _pulls(self, images: list[Array]) -> tuple[Floats, Floats]:
        """Return spread and distance of the mean from the truth, of all fine pixels that are not known to be 0."""
        spreads, off = [], []
        for one in images:
            low, fine = self.pair(one)
            mean = self.refine(low, give="mean").values
            spread = self.refine(low, give="spread").values
            there = spread > 0
            spreads.append(spread[there])
            off.append(np.abs(np.asarray(mean, float) - fine)[there])
        return np.concatenate(spreads), np.concatenate(off)

    def pair(self, images: Array) -> tuple[Batch, Array]:
        """Return coarse images as a batch, and the fine ones (n, c, row, column) that they are of: cut to whole
        squares."""
        low = self.pixels_.written(coarser(images, self.factor))
        fine = images[:, :, : low.shape[2] * self.factor, : low.shape[3] * self.factor]
        return Batch(self.schema_, low), fine

    def score(self, batch: Batch) -> Scores:
        """Raise SettingsError: it has no outputs."""
        raise SettingsError(NO_SCORES)

    def explain(self, batch: Batch, output: str) -> Evidence:
        """Raise SettingsError: it has no outputs."""
        raise SettingsError(NO_SCORES)

    def save(self, folder: Path) -> None:
        """Write the fitted scorer to a folder."""
        arrays = arrays_of(self.pixels_, "pixels_") | arrays_of(self.filter_, "filter_") | {"rho": self.rho_}
        arrays |= arrays_of(self.patches_, "patches_") | arrays_of(self.spreads_, "spreads_")
        arrays |= arrays_of(self.plain_, "plain_") | arrays_of(self.mixing_, "mixing_")
        for prefix, name in NETWORKS.items():
            if hasattr(self, name):
                weights = getattr(self, name).networks.state_dict()
                arrays |= {f"{prefix}{key}": one.numpy() for key, one in weights.items()}
        write_folder(folder, self.schema_, asdict(self), arrays)
        (folder / HISTORY).write_text(json.dumps(self.history_.to_dict()), encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read from a folder. Raises ModelError naming what is damaged."""
        scorer, arrays = read_scorer(cls, folder)
        scorer.messages, scorer.facts = [], {}
        scorer.pixels_ = part_of(Pixels, arrays, "pixels_")
        scorer.filter_ = part_of(LinearFilter, arrays, "filter_")
        scorer.patches_, scorer.spreads_ = part_of(Patches, arrays, "patches_"), part_of(Spreads, arrays, "spreads_")
        scorer.mixing_ = part_of(Mixing, arrays, "mixing_")
        scorer.plain_, scorer.rho_ = part_of(LinearFilter, arrays, "plain_"), arrays["rho"]
        given, made = len(scorer.patches_.centre) * 2, len(scorer.rho_)
        try:
            scorer.mean_ = scorer._mean_task(given, made)
            scorer.mean_.networks.load_state_dict(_weights(arrays, "mean/"))
            if scorer.method != "network":
                scorer.drawn_ = scorer._drawn_task(given, made)
                scorer.drawn_.networks.load_state_dict(_weights(arrays, "drawn/"))
            scorer.history_ = History.from_dict(json.loads((folder / HISTORY).read_text(encoding="utf-8")))
        except (RuntimeError, OSError, ValueError, TypeError) as error:
            raise ModelError(f"{folder} does not hold a whole super_resolution ({error}); fit it again") from error
        return scorer


def _weights(arrays: Mapping[str, Array], prefix: str) -> dict[str, torch.Tensor]:
    return {k.removeprefix(prefix): torch.from_numpy(one) for k, one in arrays.items() if k.startswith(prefix)}
