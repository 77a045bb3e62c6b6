"""Jets that lack one thing that a tagger could look at: a kind of particles, or what one feature says of them.

A feature is taken away by giving its values to other particles of the sample, so that each looks like one that occurs;
momenta change places within their jet and keep their directions, so that the jet stays where it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from lynkeus.core import Array, Group, Packed
from lynkeus.transforms.jets.four_vectors import columns_of, momentum_columns

ROLES = ("points", "features", "vectors")
LEFT_OUT, SHUFFLED = "without", "shuffled"
DISPLACED = 3.0  # sigmas of the impact parameter
Mask = npt.NDArray[np.bool_]
Known = Mapping[str, Array]
KINDS: Mapping[str, Callable[[Known], Any]] = {
    "charged hadrons": lambda of: of["isChargedHadron"] > 0.5,
    "neutral hadrons": lambda of: of["isNeutralHadron"] > 0.5,
    "photons": lambda of: of["isPhoton"] > 0.5,
    "electrons": lambda of: of["isElectron"] > 0.5,
    "muons": lambda of: of["isMuon"] > 0.5,
    "displaced tracks": lambda of: np.abs(of["d0val"]) > DISPLACED * np.where(of["d0err"] > 0, of["d0err"], np.inf),
    "particles below 1 GeV": lambda of: np.hypot(of["px"], of["py"]) < 1.0,
}


def changes(packed: Packed, names: tuple[str, ...], seed: int) -> Iterator[tuple[str, Packed]]:
    """Yield what was taken away, in words ("without photons", "charge shuffled"), and the jets without it."""
    columns = columns_of(names)
    alike = same_particles(packed.groups)
    for group in alike:
        for kind, gone in _kinds(packed, columns, group):
            yield f"{LEFT_OUT} {kind}", _without(packed, group, gone)
        if len(alike) > 1:
            label = group[0].rpartition("_")[0] if len(group) > 1 else group[0]
            gone = np.ones(len(packed.groups[group[0]].values), bool)
            yield f"{LEFT_OUT} {label}", _without(packed, group, gone)
    for name, features in columns.items():
        rng = np.random.default_rng((seed, len(name)))
        momenta = momentum_columns(features) or (list(range(4)) if name.endswith("vectors") else [])
        prefix = f"{name}/" if len(columns) > 1 else ""
        if momenta:
            yield f"{prefix}momenta {SHUFFLED}", _replaced(packed, name, _momenta(packed.groups[name], momenta, rng))
        for column, feature in enumerate(features):
            if column not in momenta:
                yield f"{prefix}{feature} {SHUFFLED}", _replaced(packed, name, _mixed(packed, name, column, rng))


def same_particles(groups: Mapping[str, Group]) -> list[list[str]]:
    """Return names of groups of particles, those together that are inputs of the same ones (pf_points, pf_vectors).

    Groups of one row a jet are what is known of it as a whole, which cannot be left out.
    """
    found: dict[str, list[str]] = {}
    for name, group in groups.items():
        if len(group.values) and not (group.lengths == 1).all():
            first, _, last = name.rpartition("_")
            found.setdefault(first if last in ROLES else name, []).append(name)
    return list(found.values())


def _kinds(packed: Packed, columns: Mapping[str, list[str]], alike: list[str]) -> Iterator[tuple[str, Mask]]:
    known: dict[str, Array] = {}
    for name in alike:
        for column, feature in enumerate(columns[name]):
            known.setdefault(feature.rpartition("_")[2], packed.groups[name].values[:, column])
    for kind, of in KINDS.items():
        try:
            gone = np.asarray(of(known), bool)
        except KeyError:
            continue
        if gone.any():
            yield kind, gone


def _without(packed: Packed, alike: list[str], gone: Mask) -> Packed:
    groups = dict(packed.groups)
    for name in alike:
        own = groups[name]
        kept = np.flatnonzero(~gone)
        groups[name] = Group.of_lengths(own.values[kept], np.bincount(own.sample[kept], minlength=len(packed)))
    return Packed(groups)


def _replaced(packed: Packed, name: str, values: Array) -> Packed:
    return Packed({**packed.groups, name: Group(values, packed.groups[name].offsets)})


def _mixed(packed: Packed, name: str, column: int, rng: np.random.Generator) -> Array:
    values = packed.groups[name].values.copy()
    values[:, column] = rng.permutation(values[:, column])
    return values


def _momenta(group: Group, columns: list[int], rng: np.random.Generator) -> Array:
    values = group.values.copy()
    pt = np.hypot(values[:, columns[0]], values[:, columns[1]])
    other = pt[np.lexsort((rng.random(len(pt)), group.sample))]
    values[:, columns] *= (other / np.where(pt > 0, pt, 1.0))[:, None].astype(values.dtype)
    return values
