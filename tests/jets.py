"""Jets for tests, in two lines of kinematics each: `top` has three prongs of the mass of a top quark, `qcd` one or two.

Particles have the columns of JetClass; of top jets some tracks are displaced.
"""

import numpy as np

from lynkeus.core import Batch, Group, Packed, Schema
from lynkeus.sources import InMemory

CLASSES = ("qcd", "top")
PARTS = (
    "px", "py", "pz", "energy", "deta", "dphi", "charge", "d0val", "d0err", "dzval", "dzerr", "isChargedHadron",
    "isNeutralHadron", "isPhoton", "isElectron", "isMuon",
)  # fmt: skip
NAMES = tuple(f"particles/part_{name}" for name in PARTS)
UNITS = ("GeV",) * 4 + ("rad",) * 2 + ("",) + ("mm",) * 4 + ("",) * 5
SCHEMA = Schema("cloud", NAMES, UNITS, (None, None), classes=CLASSES)


def prongs(rng: np.random.Generator, top: bool, pt: float) -> np.ndarray:
    """(k, 3) pT share, and place relative to the axis of the jet, of the prongs."""
    if top:
        share = rng.dirichlet([3.0, 3.0, 3.0])
        place = rng.normal(0, 1.0, (3, 2))
    else:
        count = 1 + (rng.uniform() < 0.5)
        share = np.sort(rng.dirichlet([4.0, 0.8][:count]))[::-1]
        place = rng.normal(0, 1.0, (count, 2))
    place -= share @ place
    mass = rng.normal(172.0, 8.0) if top else rng.exponential(60.0) * (count > 1)
    apart = ((place[:, None] - place[None]) ** 2).sum(axis=2)
    size = np.sqrt(share @ apart @ share / 2)
    return np.column_stack([share, place * (mass / pt / size if size > 0 else 0.0)])


def jet(rng: np.random.Generator, top: bool, pt: float, particles: int) -> np.ndarray:
    """(particles, columns) of one jet."""
    parts = prongs(rng, top, pt)
    more = rng.choice(len(parts), max(particles - len(parts), 0), p=parts[:, 0])
    which = np.concatenate([np.arange(len(parts)), more])
    share = rng.exponential(1.0, len(which)) ** 1.5 + 1e-3
    share *= parts[which, 0] / np.bincount(which, share)[which]
    spread = 0.02 + 0.1 * rng.exponential(0.3, len(which)) / (1 + 20 * share)
    deta, dphi = (parts[which, 1:] + rng.normal(0, 1, (len(which), 2)) * spread[:, None]).T
    eta, phi = rng.uniform(-1.5, 1.5), rng.uniform(-np.pi, np.pi)
    own, eta, phi = pt * share, eta + deta, phi + dphi
    kind = rng.choice(5, len(which), p=[0.58, 0.12, 0.26, 0.02, 0.02])
    charge = np.where(np.isin(kind, (0, 3, 4)), rng.choice([-1, 1], len(which)), 0)
    late = (which == 0) & top & (rng.uniform(size=len(which)) < 0.3)
    width, same = np.where(late, 0.3, 0.02), np.ones(len(which))
    track = np.column_stack([rng.normal(0, width), 0.02 * same, rng.normal(0, 0.05, len(which)), 0.05 * same])
    track *= (charge != 0)[:, None]
    momentum = [own * np.cos(phi), own * np.sin(phi), own * np.sinh(eta), own * np.cosh(eta)]
    return np.column_stack([*momentum, deta, dphi, charge, track, np.eye(5)[kind]])


def jets(n: int, seed: int, *, weighted: bool = False, lengths: list[int] | None = None) -> Batch:
    """n jets with pT between 500 and 600 GeV, half of each class, of 20 to 50 particles or so many as `lengths` say."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 2, n)
    many = rng.integers(20, 50, n) if lengths is None else np.array(lengths)
    pt = rng.uniform(500, 600, n)
    each = [jet(rng, bool(truth[k]), pt[k], max(many[k], 3))[: many[k]] for k in range(n)]
    group = Group.of_lengths(np.concatenate(each).astype(np.float32), np.array([len(one) for one in each]))
    weight = rng.uniform(0.5, 1.5, n) if weighted else None
    return Batch(SCHEMA, Packed({"particles": group}), truth=truth, weight=weight, meta={"jet_pt": pt})


def source(n: int, seed: int, **more: bool) -> InMemory:
    """The same as a source of batches of 256."""
    return InMemory(jets(n, seed, **more), 256)
