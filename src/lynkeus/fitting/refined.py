"""Finer images: those that a model makes of coarse ones, as a Source."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from lynkeus.core import Array, Batch, Schema, SettingsError, Source, concatenate
from lynkeus.fitting.fitted import Fitted
from lynkeus.sources import open_source

SETTINGS = ("low", "high", "draws", "give", "seed")
MOST_DRAWS = 1000
FILE = "file"
COMPARED = 40  # fine images with which it is compared what was made of them


@dataclass
class Refined:
    """`draws` fine images of each of the images `low`, one after the other, or one that is `give` "mean" or "spread".

    `coarsen`: the images are fine ones, which are made coarse first; what became of them is in `messages` after a pass.
    In meta what is known of the coarse image, its number `low`, and the number of the `draw`.
    """

    fitted: Fitted
    low: Source
    coarsen: bool = False
    draws: int = 1
    give: str = "sample"
    seed: int = 0
    messages: list[str] = field(default_factory=list)

    @property
    def schema(self) -> Schema:
        """Return that of the fine images that the model has seen, of any size; a spread is no picture."""
        own = _of_any_size(self.fitted.view.schema)
        return own if self.give != "spread" else replace(own, names=tuple(f"spread of {name}" for name in own.names))

    def __len__(self) -> int:
        return len(self.low) * self.draws  # type: ignore[arg-type]

    def __iter__(self) -> Iterator[Batch]:
        scorer: Any = self.fitted.scorer
        fine: list[Array] = []
        seen = 0
        for number, batch in enumerate(self.low):
            low = batch
            if self.coarsen:
                fine += [image[None] for image in batch.values[: COMPARED - len(fine)]]
                coarse = scorer.pair(np.asarray(batch.values))[0].values
                low = Batch(_of_any_size(batch.schema), coarse, meta=batch.meta)
            seeds = np.random.SeedSequence([self.seed, number]).generate_state(self.draws)
            made = [self._named(scorer.refine(low, int(seed), self.give), seen, k) for k, seed in enumerate(seeds)]
            order = np.arange(len(low) * self.draws).reshape(self.draws, -1).T.ravel()
            yield concatenate(made)[order] if self.draws > 1 else made[0]
            seen += len(low)
        if fine:
            self.messages = scorer.compare(fine)

    def _named(self, made: Batch, seen: int, draw: int) -> Batch:
        meta = {**made.meta, "low": np.arange(seen, seen + len(made)), "draw": np.full(len(made), draw)}
        if FILE in meta and self.draws > 1:
            meta[FILE] = np.array([f"{str(name).rpartition('.')[0] or name}_{draw}" for name in meta[FILE]])
        return Batch(self.schema, made.values, meta=meta)


def _of_any_size(schema: Schema) -> Schema:
    return replace(schema, shape=(schema.shape[0], None, None))


def refined(fitted: Fitted, given: Mapping[str, Any]) -> Refined:
    """Return finer images by settings as they are typed: low=COARSE or high=FINE (files, folders or simulators), draws,
    give, seed. Raises SettingsError for others."""
    unknown = [name for name in given if name not in SETTINGS]
    if unknown:
        raise SettingsError(f"--set {unknown[0]}: {fitted.name} knows {', '.join(SETTINGS)}")
    if ("low" in given) == ("high" in given):
        raise SettingsError(
            f"{fitted.name} makes finer images of coarse ones: give --set low=COARSE, or --set high=FINE, which are "
            "made coarse first"
        )
    for name, least, most in (("seed", 0, 2**31), ("draws", 1, MOST_DRAWS)):
        value = given.get(name, least)
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            raise SettingsError(f"--set {name}={value}: must be a whole number from {least} to {most}")
    give, draws = str(given.get("give", "sample")), int(given.get("draws", 1))
    if give not in ("sample", "mean", "spread"):
        raise SettingsError(f"--set give={give}: must be sample, mean or spread")
    if give != "sample" and draws > 1:
        raise SettingsError(f"--set draws={draws}: there is one {give} of each image; leave draws out")
    source = open_source(str(given.get("low", given.get("high"))), pictures=True)
    if source.schema.kind != "image":
        raise SettingsError(f"{given.get('low', given.get('high'))}: holds no images, but a {source.schema.kind}")
    return Refined(fitted, source, "high" in given, draws, give, int(given.get("seed", 0)))
