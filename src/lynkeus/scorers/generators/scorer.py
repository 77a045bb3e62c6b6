"""Generator: more samples like those it was shown, at conditions that are asked for; it scores none.

Of integer flux on a lattice that is conserved a Markov random field (`flux_field`), which conserves it exactly; of all
other maps a WGAN-GP, or a diffusion model, whose convolutions go round where the maps do.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import torch
from torch import Tensor

from lynkeus.core import About, Array, Batch, Evidence, Floats, ModelError, Schema, SchemaError, Scores, SettingsError
from lynkeus.core import Source as Source_
from lynkeus.core.extras import needing
from lynkeus.files.arrays import arrays_of, part_of, read_scorer, write_folder
from lynkeus.networks.maps.denoiser import Denoiser
from lynkeus.networks.maps.padding import rings_of
from lynkeus.networks.maps.rings import RingCritic, RingGenerator
from lynkeus.scorers.generators.check import check_of
from lynkeus.scorers.generators.conditions import Asked, asked_of
from lynkeus.scorers.generators.diffusion import Denoising
from lynkeus.scorers.generators.flux_field import FluxField
from lynkeus.scorers.generators.gan import MapGame
from lynkeus.simulate.lattice.source import NAMES as FLUX
from lynkeus.simulate.lattice.source import divergence
from lynkeus.training import History, KnownSet, TrainSettings, in_chunks, session, train
from lynkeus.training.seeded import seeded
from lynkeus.transforms.inputs import Inputs, sample_shape

METHODS = ("auto", "field", "gan", "diffusion")
DEFAULTS = TrainSettings(epochs=80, batch_size=48, learning_rate=5e-4, patience=80, held_out=0.2, schedule="cosine")
DIFFUSION = TrainSettings(epochs=40, batch_size=32, learning_rate=2e-3, patience=40, held_out=0.2, average=0.99)
BLOCKS, STEPS = 4, 16  # of a diffusion model, and of a sample of it
NETWORK, HISTORY = "network/", "training.json"
CHECKED = 200  # samples that are made at the end of a fit, and compared with held-out ones
NO_SCORES = "a generator makes samples and scores none: lynkeus generate MODEL -n 1000 -o FILE"


@dataclass
class Generator:
    """`targets`: numbers of the samples that can be asked for ("n" of flux without being named); `method`: "field",
    "gan", "diffusion", or "auto": the first where samples are conserved flux, else the second; `latent` of a gan,
    `width` of the networks."""

    about: ClassVar[About] = About(("image",), True, "", "a minute", labels="numbers", generates=True, constants=True)
    outputs: ClassVar[tuple[str, ...]] = ()
    targets: tuple[str, ...] = ()
    method: str = "auto"
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
        if source.schema.kind != "image" or None in source.schema.shape:
            raise SchemaError(f"the scorer generator reads maps of one shape, not a {source.schema.kind}")
        batches = list(source)
        self.schema_: Schema = source.schema
        values = np.concatenate([np.nan_to_num(np.asarray(batch.values, np.float32)) for batch in batches])
        flux = _is_flux(self.schema_, values)
        self.whole_ = bool((values == np.rint(values)).all())
        if self.method == "field" and not flux:
            raise SettingsError(
                "method field is for integer flux k_x, k_t, l_x, l_t that is conserved; take method=gan"
            )
        self.method = ("field" if flux else "gan") if self.method == "auto" else self.method
        if self.method == "field":
            self.targets = ("n",)
            numbers = values[:, 1].mean(axis=(1, 2))[:, None].astype(float)
        else:
            known = [name for name in self.targets or ("n",) if all(name in batch.meta for batch in batches)]
            self.targets = tuple(known)
            numbers = np.concatenate([_numbers(batch, self.targets) for batch in batches])
        self.seen_ = numbers
        kept = np.arange(len(values)) % 5 != 0
        self._learn(values[kept], numbers[kept])
        made, raw = self._make(self._like(min(CHECKED, len(values)), self.seed + 1), self.seed + 1)
        self.facts, self.messages = check_of(made, raw, values, flux)
        return self

    def _learn(self, values: Array, numbers: Floats) -> None:
        if self.method == "field":
            with needing("a generator of flux", "matter"):
                self.field_ = FluxField.fit(values, self.seed)
            return
        self.inputs_, self.rings_ = Inputs.fit(values), rings_of(values)
        self.centre_ = numbers.mean(axis=0)
        self.sigma_ = np.where(numbers.std(axis=0) > 0, numbers.std(axis=0), 1.0)
        with seeded(self.seed):
            self.task_ = self._task()
        known = ((numbers - self.centre_) / self.sigma_).astype(np.float32)
        settings = (DEFAULTS if self.method == "gan" else DIFFUSION).replaced(self.training)
        taught = KnownSet(self.inputs_.of(values), known, named=False)
        self.history_ = train(self.task_, taught, settings, self.seed, self.method)

    def _task(self) -> MapGame | Denoising:
        shape = sample_shape(self.schema_)
        if min(shape[1:]) < 3:
            raise SchemaError(
                f"maps of {shape[1]} x {shape[2]} are smaller than the kernels of 3 x 3: give larger ones"
            )
        if self.method == "diffusion":
            return Denoising(Denoiser(shape[0], len(self.targets), self.width, BLOCKS, self.rings_))
        given = (self.latent, len(self.targets), self.width, self.rings_)
        generator = RingGenerator((shape[0], shape[1], shape[2]), *given)
        return MapGame(generator, RingCritic(shape[0], *given[1:]), self.latent)

    def generate(self, count: int, seed: int, conditions: Mapping[str, float], extrapolate: bool = False) -> Batch:
        """Return so many new samples, with all `conditions` met or as they were in the samples seen; the same for the
        same seed. Raises SettingsError for a condition that it does not know, or one outside of the range that it has
        seen, but for `extrapolate`."""
        asked = asked_of(self.targets, self.seen_, conditions, extrapolate)
        made, _ = self._make(self._like(count, seed, asked), seed)
        meta = {f"{name}_asked": np.full(count, value) for name, value in asked.fixed.items()}
        if self.method == "field":
            meta["n"] = made[:, 1].mean(axis=(1, 2)).astype(float)
        return Batch(self.schema_, made, meta=meta)

    def _like(self, count: int, seed: int, asked: Asked | None = None) -> Floats:
        """Return conditions (count, targets), those of samples that were seen but for what is asked for."""
        found = self.seen_[np.random.default_rng([seed, 1]).integers(len(self.seen_), size=count)].copy()
        for name, value in (asked.fixed if asked else {}).items():
            found[:, self.targets.index(name)] = value
        return found

    def _make(self, numbers: Floats, seed: int) -> tuple[Array, Array]:
        """Return samples with these conditions (n, targets), and the same before they were rounded."""
        if self.method == "field":
            made = self.field_.sample(self._windings(numbers[:, 0], seed), self.schema_.shape[1:], seed)  # type: ignore[arg-type]
            return made.astype(np.float32), made
        device = session().torch_device
        self.task_.networks.to(device).eval()
        wanted = torch.from_numpy(((numbers - self.centre_) / self.sigma_).astype(np.float32)).to(device)
        draw = torch.Generator().manual_seed(seed)
        x = in_chunks(lambda part: self._made(part, draw), wanted).cpu().numpy()
        self.task_.networks.to("cpu")
        column = (None, slice(None), None, None)
        raw = x * self.inputs_.sigma[column] + self.inputs_.centre[column]
        return (np.rint(raw) if self.whole_ else raw).astype(np.float32), raw

    def _made(self, wanted: Tensor, draw: torch.Generator) -> Tensor:
        if isinstance(self.task_, MapGame):
            return self.task_.made(wanted, draw)
        return self.task_.made(wanted, sample_shape(self.schema_), STEPS, draw)

    def _windings(self, density: Floats, seed: int) -> Array:
        """Return flux in time and in space (n, 2): by the density, between two whole numbers by chance so that the mean
        is right; and as it was seen."""
        rng = np.random.default_rng([seed, 2])
        charge = density * int(self.schema_.shape[2] or 1)
        down = np.floor(charge + 1e-6)
        own = down + (rng.random(len(charge)) < charge - down - 1e-6)
        other = self.field_.windings[rng.integers(len(self.field_.windings), size=len(charge)), 1]
        return np.stack([own.astype(np.int64), other], axis=1)

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
        scorer.rings_ = (bool(arrays["rings"][0]), bool(arrays["rings"][1]))
        scorer.centre_, scorer.sigma_ = arrays["centre"], arrays["sigma"]
        own = {name.removeprefix(NETWORK): array for name, array in arrays.items() if name.startswith(NETWORK)}
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


def _is_flux(schema: Schema, values: Array) -> bool:
    """Return whether samples are integers on links, of which those of the first two kinds are conserved."""
    whole = schema.shape[0] == len(FLUX) and bool((values == np.rint(values)).all())
    return whole and not divergence(values).any() and bool((values[:, 2:] >= 0).all())
