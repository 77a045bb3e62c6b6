"""The three kinds of anomalies in two dimensions, with truth: point, contextual, group (Chandola et al. 2009)."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from lynkeus.core import Array, Batch, Case, Floats, Schema, concatenate
from lynkeus.sources import InMemory

CLUSTERS = np.array([[-2.0, -1.0], [2.0, -0.5], [0.0, 2.2]])
LENGTH = 10  # points that come together
CLUMP = 0.12  # spread of a clump
APART = 1.6  # from all clusters


def point(samples: int, seed: int) -> Case:
    """Three clusters; anomalies lie alone, where no good point is, though each coordinate is a usual one."""

    def draw(rng: np.random.Generator, faulty: int) -> Batch:
        good = _clusters(rng, samples)
        found: list[Floats] = []
        while len(found) < faulty:
            at = rng.uniform(good.min(axis=0), good.max(axis=0))
            if np.linalg.norm(CLUSTERS - at, axis=1).min() > APART:
                found.append(at)
        return _shuffled(rng, good, np.array(found).reshape(-1, 2), ("x", "y"))

    return _case(draw, samples // 20, seed)


def contextual(samples: int, seed: int) -> Case:
    """A signal that repeats itself; anomalies are usual values at the wrong time."""

    def draw(rng: np.random.Generator, faulty: int) -> Batch:
        time = rng.uniform(0.0, 1.0, size=samples + faulty)
        value = _signal(time) + 0.1 * rng.normal(size=len(time))
        wrong = rng.uniform(0.2, 0.8, size=faulty)  # later than it should come
        value[samples:] = _signal((time[samples:] + wrong) % 1.0)
        plane = np.stack([time, value], axis=1)
        off = np.abs(value[samples:] - _signal(time[samples:])) > 0.5
        return _shuffled(rng, plane[:samples], plane[samples:][off], ("time / period", "signal"))

    return _case(draw, samples // 20, seed)


def group(samples: int, seed: int) -> Case:
    """The clusters again, point after point; anomalies are clumps: ten points in a row that are much too alike."""
    return _case(lambda rng, faulty: _clumps(rng, samples, faulty), samples // 10, seed)


def windows(samples: int, seed: int) -> Case:
    """The points of `group` in windows of ten."""
    single = group(samples, seed)
    return Case(*(_windows(concatenate(list(source))) for source in (single.train, single.test)))


def _case(draw: Callable[[np.random.Generator, int], Batch], faulty: int, seed: int) -> Case:
    train, test = (draw(np.random.default_rng([seed, k]), faulty * k) for k in (0, 1))
    return Case(InMemory(train), InMemory(test, len(test)))


def _clusters(rng: np.random.Generator, samples: int) -> Floats:
    spread = np.array([[0.55, 0.25], [0.3, 0.6], [0.7, 0.25]])
    which = rng.integers(len(CLUSTERS), size=samples)
    return CLUSTERS[which] + spread[which] * rng.normal(size=(samples, 2))


def _signal(time: Floats) -> Floats:
    return np.sin(2 * np.pi * time) + 0.5 * np.sin(4 * np.pi * time)


def _shuffled(rng: np.random.Generator, good: Floats, faulty: Floats, names: tuple[str, str]) -> Batch:
    truth = np.repeat([0, 1], [len(good), len(faulty)])
    order = rng.permutation(len(truth))
    return Batch(Schema("table", names, (), (2,)), np.concatenate([good, faulty])[order], truth=truth[order])


def _clumps(rng: np.random.Generator, samples: int, faulty: int) -> Batch:
    values, truth = _clusters(rng, samples), np.zeros(samples, np.int64)
    for start in LENGTH * rng.permutation(samples // LENGTH)[: faulty // LENGTH]:
        at = _clusters(rng, 1)  # where good points are
        values[start : start + LENGTH] = at + CLUMP * rng.normal(size=(LENGTH, 2))
        truth[start : start + LENGTH] = 1
    return Batch(Schema("table", ("x", "y"), (), (2,)), values, truth=truth)


def _windows(batch: Batch) -> InMemory:
    def cut(rows: Array) -> Array:
        return rows.reshape(-1, LENGTH, *rows.shape[1:])

    assert batch.truth is not None
    schema = Schema("waveform", batch.schema.names, (), (2, LENGTH))
    return InMemory(Batch(schema, cut(batch.values).transpose(0, 2, 1).copy(), truth=cut(batch.truth)[:, 0]))
