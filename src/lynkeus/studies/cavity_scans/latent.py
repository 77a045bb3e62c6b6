"""Latent space: do images lie together by vendor, treatment, scan, and do those with a defect lie apart?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from lynkeus.commission.figures import save
from lynkeus.core import Array, Batch, Floats, Outcome
from lynkeus.scans.latent import Purity, draw_latent, latent_maps, purity
from lynkeus.scorers.learned.adversarial.scorer import Adversarial
from lynkeus.scorers.learned.trained import per_sample

CAVITIES = 6  # that are shown: two of each vendor
FLAT = 3  # numbers: a space of so few needs no map
LABEL, BALANCED = "label", "label, as many of each"


class Space(NamedTuple):
    """Codes of images: (n, d) of all of the first cavities, (m, d) of those with a defect and as many good ones."""

    of_scans: Floats
    of_defects: Floats


def space_of(outcome: Outcome) -> Space | None:
    """Return the features of a scorer that has them, or the codes of the encoder of f-AnoGAN."""
    scorer, chosen = outcome.scorer, (_of_scans(outcome.test), _of_defects(outcome.test))
    if isinstance(scorer, Adversarial):
        encoder = scorer.task_.networks["encoder"]
        return Space(*(per_sample(scorer, outcome.test[rows], encoder) for rows in chosen))
    if hasattr(scorer, "features"):
        return Space(*(scorer.features(outcome.test[rows]) for rows in chosen))  # type: ignore[union-attr]
    return None


def colours_of(test: Batch) -> Space:
    """Return the mean of each colour: a space of three numbers, for comparison."""
    means = test.values.mean(axis=(2, 3))
    return Space(means[_of_scans(test)], means[_of_defects(test)])


@dataclass(frozen=True)
class Laid:
    """Spaces of images laid flat: `maps` (n, 2) by "space, method", `classes` (n,), and how pure these are."""

    maps: dict[str, Floats]
    classes: dict[str, Array]
    purities: tuple[Purity, ...]

    def draw(self, method: str, path: Path) -> None:
        """Draw every space by one method."""
        chosen = {name: at for name, at in self.maps.items() if name.endswith(method)}
        save(draw_latent(chosen, self.classes, self.purities), path)


def lay_flat(spaces: Mapping[str, Space], test: Batch, methods: Sequence[str]) -> Laid:
    """Map every space to the plane, with the purity of every space and of every map that is made of it."""
    classes, label = _classes(test), test.meta[LABEL][_of_defects(test)]
    maps: dict[str, Floats] = {}
    found = []
    for name, space in spaces.items():
        flat = latent_maps(space.of_scans, methods) if space.of_scans.shape[1] > FLAT else {}
        own = {f"{name}, {method}": at for method, at in flat.items()}
        found += [
            purity(at, classes[c], c, what) for what, at in ({name: space.of_scans} | own).items() for c in classes
        ]
        found.append(purity(space.of_defects, label, BALANCED, name))
        maps |= own
    return Laid(maps, classes, tuple(found))


def _of_scans(test: Batch) -> Array:
    """Return the rows of the first cavities."""
    cavity = test.meta["cavity"]
    return np.flatnonzero(np.isin(cavity, np.unique(cavity)[:CAVITIES]))


def _of_defects(test: Batch) -> Array:
    """Rows with a defect, and as many without one, drawn at random."""
    assert test.truth is not None
    faulty, good = np.flatnonzero(test.truth), np.flatnonzero(test.truth == 0)
    return np.concatenate([faulty, np.random.default_rng(0).choice(good, len(faulty), replace=False)])


def _classes(test: Batch) -> dict[str, Array]:
    """Return the classes of the images of the first cavities; a scan is one of a cavity."""
    meta = {name: column[_of_scans(test)] for name, column in test.meta.items()}
    scan = np.char.add(np.char.add(meta["cavity"], " "), meta["treatment"])
    return {"vendor": meta["vendor"], "treatment": meta["treatment"], "scan": scan, LABEL: meta[LABEL]}
