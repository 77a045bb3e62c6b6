"""Generator: more samples like those it was shown, at conditions that are asked for; it scores none.

Of integer flux on a lattice that is conserved a Markov random field (`flux_field`); of this and of all other maps a
WGAN-GP, or a diffusion model, whose convolutions go round where the maps do. Networks make flux as the curl of heights,
which conserves it exactly (`heights`), or as it is, as published, which does not.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import torch
from torch import Tensor

from lynkeus.core import About, Array, Batch, Evidence, Floats, ModelError, Schema, SchemaError, Scores, SettingsError
from lynkeus.core import Source as Source_
from lynkeus.core.extras import needing
from lynkeus.files.arrays import arrays_of, part_of, read_scorer, write_folder
from lynkeus.networks.maps.causal import Causal
from lynkeus.networks.maps.curl import CurlCritic, CurlGenerator
from lynkeus.networks.maps.denoiser import Denoiser
from lynkeus.networks.maps.padding import rings_of
from lynkeus.networks.maps.rings import RingCritic, RingGenerator
from lynkeus.scorers.generators.causal import CausalTask
from lynkeus.scorers.generators.check import check_of
from lynkeus.scorers.generators.conditions import Asked, asked_of
from lynkeus.scorers.generators.diffusion import Denoising
from lynkeus.scorers.generators.flux_field import FluxField
from lynkeus.scorers.generators.gan import MapGame
from lynkeus.scorers.generators.heights import (
    WINDINGS,
    FluxGame,
    heights_of,
    is_flux,
    links_of,
    lowered,
    maps_known,
    raised,
    rows_like,
    windings_of,
)
from lynkeus.scorers.generators.whole_numbers import LOGITS, WHOLE, WholeNumbers
from lynkeus.training import History, KnownSet, TrainSettings, in_chunks, session, train
from lynkeus.training.seeded import seeded
from lynkeus.transforms.inputs import Inputs, sample_shape

METHODS = ("auto", "field", "gan", "diffusion", "autoregressive")
DEFAULTS = TrainSettings(epochs=80, batch_size=18, learning_rate=5e-4, patience=80, held_out=0.2, schedule="cosine")
DIFFUSION = TrainSettings(epochs=40, batch_size=32, learning_rate=2e-3, patience=40, held_out=0.2, average=0.99)
CAUSAL = TrainSettings(epochs=20, batch_size=4, learning_rate=2e-3, patience=20, held_out=0.1, schedule="cosine")
SETTINGS = {"gan": DEFAULTS, "diffusion": DIFFUSION, "autoregressive": CAUSAL}
WIDER = 8  # times as wide as others are the layers of an autoregressive network, which is no convolution
BLOCKS, STEPS = 4, 16  # of a diffusion model, and of a sample of it
NETWORK, HISTORY = "network/", "training.json"
CHECKED = 200  # samples that are made at the end of a fit, and compared with held-out ones
NO_SCORES = "a generator makes samples and scores none: lynkeus generate MODEL -n 1000 -o FILE"


@dataclass
class Generator:
    """`targets`: numbers of the samples that can be asked for ("n" of flux without being named); `method`: "field",
    "autoregressive", both for flux, "gan", "diffusion", or "auto": the first where samples are conserved flux, else
    "gan"; `conserve`: networks make flux that is conserved exactly, where that of the samples is; `latent` of a gan,
    `width` of the networks."""

    about: ClassVar[About] = About(("image",), True, "", "a minute", labels="numbers", generates=True, constants=True)
    outputs: ClassVar[tuple[str, ...]] = ()
    targets: tuple[str, ...] = ()
    method: str = "auto"
    conserve: bool = True
    latent: int = 8
    width: int = 16
    seed: int = 0
    training: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.targets = tuple(self.targets)
        if self.method not in METHODS:
            raise SettingsError(f"method must be one of {', '.join(METHODS)}, got {self.method!r}")

    def fit(self, source: Source_) -> Self:
        """Learn from maps of one shape. Raises SchemaError for other samples, SettingsError where flux is asked for and
        the samples are none."""
        if source.schema.kind != "image":
            raise SchemaError(f"the scorer generator reads maps, not a {source.schema.kind}")
        batches = list(source)
        shapes = {batch.values.shape[1:] for batch in batches}
        if len(shapes) != 1:
            raise SchemaError(f"the scorer generator reads maps of one shape, got {len(shapes)} of them")
        self.schema_: Schema = replace(source.schema, shape=shapes.pop())
        values = np.concatenate([np.nan_to_num(np.asarray(batch.values, np.float32)) for batch in batches])
        flux = is_flux(self.schema_, values)
        self.whole_ = bool((values == np.rint(values)).all())
        if self.method in ("field", "autoregressive") and not flux:
            raise SettingsError(
                f"method {self.method} is for integer flux k_x, k_t, l_x, l_t that is conserved; take method=gan"
            )
        self.method = ("field" if flux else "gan") if self.method == "auto" else self.method
        if self.method == "field":
            self.targets = ("n",)
            numbers = values[:, 1].mean(axis=(1, 2))[:, None].astype(float)
        else:
            known = [name for name in self.targets or ("n",) if all(name in batch.meta for batch in batches)]
            self.targets = tuple(known)
            numbers = np.concatenate([_numbers(batch, self.targets) for batch in batches])
        self.conserve = flux and (bool(self.conserve) or self.method == "autoregressive")
        self.seen_, self.windings_ = numbers, windings_of(values) if self.conserve else np.empty((0, WINDINGS))
        kept = np.arange(len(values)) % 5 != 0
        self._learn(values[kept], numbers[kept])
        made, raw = self._make(*self._like(min(CHECKED, len(values)), self.seed + 1), self.seed + 1)
        self.facts, self.messages = check_of(made, raw, values, flux)
        return self

    def _learn(self, values: Array, numbers: Floats) -> None:
        if self.method == "field":
            with needing("a generator of flux", "matter"):
                self.field_ = FluxField.fit(values, self.seed)
            return
        self.rings_ = rings_of(values)
        self.centre_ = numbers.mean(axis=0)
        self.sigma_ = np.where(numbers.std(axis=0) > 0, numbers.std(axis=0), 1.0)
        known = self._known(numbers, windings_of(values) if self.conserve else None)
        x = heights_of(values) if self.conserve and self.method != "gan" else values
        self.inputs_, self.whole_heights_ = Inputs.fit(x), True
        with seeded(self.seed):
            self.task_ = self._task(values)
        whole = self.conserve and self.method == "diffusion"
        settings = (WHOLE if whole else SETTINGS[self.method]).replaced(self.training)
        if self.method == "autoregressive":
            x = raised(x, windings_of(values))
        elif not self.conserve or self.method == "diffusion":
            x = self.inputs_.of(x)
        self.history_ = train(self.task_, KnownSet(x, known, named=False), settings, self.seed, self.method)

    def _known(self, numbers: Floats, windings: Array | None) -> Array:
        """Return what a network is shown of samples: numbers in their spreads, and what flux goes through lattices."""
        known = ((numbers - self.centre_) / self.sigma_).astype(np.float32)
        if windings is None or not self.conserve:
            return known
        if self.method != "diffusion":
            return np.concatenate([windings, known], axis=1).astype(np.float32)
        _, rows, columns = sample_shape(self.schema_)
        return maps_known(windings, known, (rows, columns))

    def _task(self, values: Array | None = None) -> MapGame | Denoising | CausalTask:
        """Return networks for samples; without `values` for what is loaded into them."""
        shape, many = sample_shape(self.schema_), len(self.targets)
        if min(shape[1:]) < 3:
            raise SchemaError(
                f"maps of {shape[1]} x {shape[2]} are smaller than the kernels of 3 x 3: give larger ones"
            )
        if self.method == "diffusion":
            made, known = (3, 4 + many) if self.conserve else (shape[0], many)
            if self.conserve and self.whole_heights_:
                network = Denoiser(made, known, self.width, BLOCKS, self.rings_, LOGITS)
                return WholeNumbers(network, self.inputs_.centre, self.inputs_.sigma)
            return Denoising(Denoiser(made, known, self.width, BLOCKS, self.rings_))
        if self.method == "autoregressive":
            return CausalTask(Causal((shape[1], shape[2]), WIDER * self.width))
        if self.conserve:
            links = torch.zeros(1, *shape) if values is None else torch.from_numpy(values)
            known = WINDINGS + many
            generator = CurlGenerator((shape[1], shape[2]), self.latent, known, self.width)
            return FluxGame(generator, CurlCritic(links, known, self.width), self.latent)
        given = (self.latent, many, self.width, self.rings_)
        return MapGame(
            RingGenerator((shape[0], shape[1], shape[2]), *given), RingCritic(shape[0], *given[1:]), self.latent
        )

    def generate(self, count: int, seed: int, conditions: Mapping[str, float], extrapolate: bool = False) -> Batch:
        """Return so many new samples, with all `conditions` met or as they were in the samples seen; the same for the
        same seed. Raises SettingsError for a condition that it does not know, or one outside of the range that it has
        seen, but for `extrapolate`."""
        asked = asked_of(self.targets, self.seen_, conditions, extrapolate)
        made, _ = self._make(*self._like(count, seed, asked), seed)
        meta = {f"{name}_asked": np.full(count, value) for name, value in asked.fixed.items()}
        if self.method == "field" or self.conserve:
            meta["n"] = made[:, 1].mean(axis=(1, 2)).astype(float)
        return Batch(self.schema_, made, meta=meta)

    def _like(self, count: int, seed: int, asked: Asked | None = None) -> tuple[Floats, Array]:
        """Return conditions (count, targets), those of samples that were seen but for what is asked for, and flux
        through the lattice in time and in space (count, 2): of the density that is asked for, between two whole numbers
        by chance so that the mean is right, else as it was seen."""
        fixed = dict(asked.fixed) if asked else {}
        rows = rows_like(self.seen_, self.targets, fixed, (count, seed))
        found = self.seen_[rows].copy()
        for name, value in fixed.items():
            found[:, self.targets.index(name)] = value
        if self.method == "field":
            return found, self._windings(found[:, 0], seed)
        if not self.conserve:
            return found, np.empty((count, 0))
        through = self.windings_[rows].copy()
        if "n" in fixed:
            column = self.targets.index("n")
            through[:, 0] = self._charge(found[:, column], seed)
            found[:, column] = through[:, 0] / int(self.schema_.shape[2] or 1)
        return found, through

    def _make(self, numbers: Floats, windings: Array, seed: int) -> tuple[Array, Array]:
        """Return samples with these conditions (n, targets) and flux through the lattice, and the same before they were
        rounded."""
        if self.method == "field":
            made = self.field_.sample(windings, self.schema_.shape[1:], seed)  # type: ignore[arg-type]
            return made.astype(np.float32), made
        device = session().torch_device
        self.task_.networks.to(device).eval()
        wanted = torch.from_numpy(self._known(numbers, windings)).to(device)
        draw = torch.Generator().manual_seed(seed)
        x = in_chunks(lambda part: self._made(part, draw), wanted).cpu().numpy()
        self.task_.networks.to("cpu")
        if self.conserve and self.method == "gan":
            return x, x
        if self.method == "autoregressive":
            made = links_of(lowered(x, windings), windings).astype(np.float32)
            return made, made
        column = (None, slice(None), None, None)
        raw = x * self.inputs_.sigma[column] + self.inputs_.centre[column]
        if self.conserve:
            made = links_of(raw, windings).astype(np.float32)
            return made, made
        return (np.rint(raw) if self.whole_ else raw).astype(np.float32), raw

    def _made(self, wanted: Tensor, draw: torch.Generator) -> Tensor:
        if not isinstance(self.task_, Denoising):
            return self.task_.made(wanted, draw)
        shape = sample_shape(self.schema_)
        return self.task_.made(wanted, (3, *shape[1:]) if self.conserve else shape, STEPS, draw)

    def _windings(self, density: Floats, seed: int) -> Array:
        """Return flux in time and in space (n, 2) for a field: by the density, and as it was seen."""
        rng = np.random.default_rng([seed, 2])
        own = self._charge(density, seed)
        other = self.field_.windings[rng.integers(len(self.field_.windings), size=len(density)), 1]
        return np.stack([own, other], axis=1)

    def _charge(self, density: Floats, seed: int) -> Array:
        charge = density * int(self.schema_.shape[2] or 1)
        down = np.floor(charge + 1e-6)
        own = down + (np.random.default_rng([seed, 3]).random(len(charge)) < charge - down - 1e-6)
        return own.astype(np.int64)

    def score(self, batch: Batch) -> Scores:
        """Raise SettingsError: it has no outputs."""
        raise SettingsError(NO_SCORES)

    def explain(self, batch: Batch, output: str) -> Evidence:
        """Raise SettingsError: it has no outputs."""
        raise SettingsError(NO_SCORES)

    def save(self, folder: Path) -> None:
        """Write the fitted generator to a folder."""
        arrays: dict[str, Array] = {"seen": self.seen_, "whole": np.array([self.whole_])}
        if self.method == "field":
            arrays |= arrays_of(self.field_, "field_")
        else:
            arrays |= arrays_of(self.inputs_, "input_", ("windows",))
            arrays |= {"windings": self.windings_} if self.conserve else {}
            arrays |= {"rings": np.array(self.rings_), "centre": self.centre_, "sigma": self.sigma_}
            arrays |= {f"{NETWORK}{name}": one.numpy() for name, one in self.task_.networks.state_dict().items()}
        write_folder(folder, self.schema_, asdict(self), arrays)
        if self.method != "field":
            (folder / HISTORY).write_text(json.dumps(self.history_.to_dict()), encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read from a folder. Raises ModelError naming what is damaged."""
        scorer, arrays = read_scorer(cls, folder)
        scorer.messages, scorer.facts = [], {}
        scorer.seen_, scorer.whole_ = arrays["seen"], bool(arrays["whole"][0])
        if scorer.method == "field":
            scorer.field_ = part_of(FluxField, arrays, "field_")
            return scorer
        scorer.inputs_ = part_of(Inputs, arrays, "input_", windows="raw")
        scorer.conserve = "windings" in arrays  # earlier versions did not
        scorer.windings_ = arrays["windings"] if scorer.conserve else np.empty((0, WINDINGS))
        scorer.rings_ = (bool(arrays["rings"][0]), bool(arrays["rings"][1]))
        scorer.centre_, scorer.sigma_ = arrays["centre"], arrays["sigma"]
        own = {name.removeprefix(NETWORK): array for name, array in arrays.items() if name.startswith(NETWORK)}
        last = arrays.get(f"{NETWORK}denoiser.last.weight", ())
        scorer.whole_heights_ = len(last) == LOGITS  # earlier versions made numbers that were rounded
        try:
            scorer.task_ = scorer._task()
            scorer.task_.networks.load_state_dict({name: torch.from_numpy(array) for name, array in own.items()})
            scorer.history_ = History.from_dict(json.loads((folder / HISTORY).read_text(encoding="utf-8")))
        except (RuntimeError, OSError, ValueError, TypeError) as error:
            raise ModelError(f"{folder} does not hold a whole generator ({error}); fit it again") from error
        return scorer


def _numbers(batch: Batch, names: tuple[str, ...]) -> Floats:
    found = [np.asarray(batch.meta[name], float) for name in names]
    return np.stack(found, axis=1) if found else np.empty((len(batch), 0))
