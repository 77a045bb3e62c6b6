"""Steering: steps, procedures, ramps and single monitors that move, added to the rows of a real or simulated stretch.

A pattern is a local bump, an oscillation behind a corrector, or a mixture of what the data do by themselves; each
channel sees it a few per cent larger or smaller than it is, as real monitors do.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from lynkeus.commission.jitter import Jitter
from lynkeus.core import Batch, Floats, SettingsError, Source
from lynkeus.sources.wrappers.wrapper import Wrapper

# Names of channels as at the European XFEL: BPME.2241.SA1/x is at 2241 m of the beam line SA1, in the plane x.
PLACE = r"\.(?P<position>\d+(?:\.\d+)?)\.(?P<line>\w+)(?:/(?P<plane>\w+))?$"
KINDS = ("step", "procedure", "ramp", "creep", "switch", "offset", "offset")
APART = 5  # stretches of BLOCK between events
BLOCK = 600  # rows
SIZES = (2.0, 25.0)  # jitters of the most moved channel of a pattern, log-uniform
OFFSETS = (1.0, 2.5)  # jitters of a single monitor
SCALE_ERROR = 0.03  # by which channels see a pattern differently


@dataclass(frozen=True)
class Move:
    """From row `start` on, `pattern` (c,) is added: at once ("step", "offset"), growing for `rows` ("ramp"), for `rows`
    only ("switch"), or a fifth of it relaxing over `rows` ("creep")."""

    kind: str
    start: int
    pattern: Floats = field(repr=False)
    rows: int = 0

    def share(self, row: npt.NDArray[np.int64]) -> Floats:
        """Return how much of the pattern is there at each row (n,)."""
        since = row - self.start
        if self.kind == "ramp":
            return np.clip(since / max(self.rows, 1), 0.0, 1.0)
        if self.kind == "switch":
            return ((since >= 0) & (since < self.rows)).astype(float)
        if self.kind == "creep":
            return (since >= 0) * (1.0 - 0.2 * np.exp(-np.maximum(since, 0) / max(self.rows, 1)))
        return (since >= 0).astype(float)


class Steered(Wrapper):
    """The rows of a table with moves added, stored as coarsely as `like` (float16: as in the file of real orbits)."""

    def __init__(self, source: Source, moves: Sequence[Move], like: type[np.floating] = np.float16) -> None:
        super().__init__(source)
        self.moves, self.like = tuple(moves), like

    def __len__(self) -> int:
        return len(self.source)  # type: ignore[arg-type]

    def __iter__(self) -> Iterator[Batch]:
        first = 0
        for batch in self.source:
            row = np.arange(first, first + len(batch))
            values = batch.values.astype(float)
            for move in self.moves:
                share = move.share(row)
                if share.any():
                    values += share[:, None] * move.pattern
            yield replace(batch, values=values.astype(self.like).astype(batch.values.dtype))
            first += len(batch)


def plan_moves(names: Sequence[str], rows: int, known: Jitter, seed: int) -> tuple[Move, ...]:
    """Return moves of all KINDS at random places, as many as fit, the first not before four blocks.

    Raises SettingsError where the rows are too few for a single one.
    """
    rng, blocks = np.random.default_rng(seed), rows // BLOCK
    places = np.arange(4, blocks - APART, APART)
    if not len(places):
        raise SettingsError(f"{rows} rows are too few to steer in: give at least {(4 + APART + 1) * BLOCK}")
    kinds = rng.permutation(KINDS)[: len(places)]
    starts = np.sort(rng.choice(places, len(kinds), replace=False)) * BLOCK + rng.integers(0, BLOCK, len(kinds))
    groups = _groups(names)
    found: list[Move] = []
    for kind, start in zip(kinds.tolist(), starts.tolist(), strict=True):
        size = float(np.exp(rng.uniform(*np.log(SIZES))))
        if kind == "offset":
            channel = int(rng.choice(np.flatnonzero(known.jitter > 0)))
            pattern = np.zeros(len(names))
            pattern[channel] = rng.choice([-1, 1]) * rng.uniform(*OFFSETS) * known.jitter[channel]
            found.append(Move(kind, start, pattern))
        elif kind == "procedure":
            late = rng.integers(0, 3 * BLOCK, int(rng.integers(4, 10))).tolist()
            found += [Move(kind, start + wait, _pattern(rng, groups, known, size / 2)) for wait in late]
        else:
            found.append(Move(kind, start, _pattern(rng, groups, known, size), int(BLOCK * rng.uniform(1, 5))))
    return tuple(found)


def _groups(names: Sequence[str]) -> list[list[int]]:
    """Channels of one plane of one line in the order of their places; all of them where names say no place."""
    groups: dict[tuple[str, str], list[tuple[float, int]]] = {}
    for channel, name in enumerate(names):
        at = re.search(PLACE, name)
        if at is not None:
            groups.setdefault((at["line"], at["plane"] or ""), []).append((float(at["position"]), channel))
    return [[channel for _, channel in sorted(own)] for own in groups.values()] or [list(range(len(names)))]


def _pattern(rng: np.random.Generator, groups: list[list[int]], known: Jitter, size: float) -> Floats:
    """(c,) a sum of one to three bumps and oscillations of up to `size` jitters, half the time with a mixture."""
    pattern = np.zeros(len(known.jitter))
    for _ in range(int(rng.integers(1, 4))):
        own = groups[int(rng.integers(len(groups)))]
        amplitude = size * rng.uniform(0.3, 1.0) * float(np.median(known.jitter[own]))
        if rng.random() < 0.4:
            long = min(int(rng.integers(3, 9)), len(own))
            at = int(rng.integers(len(own) - long + 1))
            bump = np.sin(np.pi * (np.arange(long) + 1) / (long + 1))
            pattern[own[at : at + long]] += rng.choice([-1, 1]) * amplitude * bump
        else:
            behind = np.arange(len(own)) - rng.integers(-10, max(len(own) // 2, 1))
            wave = np.sin(rng.uniform(0.5, 1.2) * behind + 0.3 * rng.standard_normal())
            pattern[own] += np.where(behind > 0, wave, 0.0) * amplitude
    if rng.random() < 0.5:
        pattern += known.mixture(rng) * rng.uniform(1.0, 10.0)
    return pattern * (1.0 + SCALE_ERROR * rng.standard_normal(len(pattern)))
