"""Channels that cause: an orbit that follows from a magnet or a mode is no anomaly, one that does not still is."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from lynkeus.core import Batch, Floats, SettingsError, concatenate
from lynkeus.scorers.orbit.scorer import Orbit
from lynkeus.simulate.beam.orbit import OrbitSource, machine
from lynkeus.sources import InMemory, Window

TRAINED, LATER = 9000, 4200
NAMES = ("MAG.1", "MODE.1")


def caused(rows: Batch, magnet: Floats, mode: Floats) -> Batch:
    """Orbits that a magnet and a mode of the machine move, with both as channels."""
    moved = magnet[:, None] * machine().kicks[100] * 4.0 + (mode == 2)[:, None] * machine().kicks[20] * 6.0
    values = np.concatenate([rows.values + moved, magnet[:, None], mode[:, None]], axis=1)
    names = (*rows.schema.names, *NAMES)
    schema = replace(rows.schema, names=names, shape=(len(names),), units=("mm",))
    return replace(rows, schema=schema, values=values.astype(np.float32))


def steps(at: tuple[int, ...], values: tuple[float, ...], length: int) -> Floats:
    """A value from each of some rows on."""
    found = np.full(length, values[0])
    for row, value in zip(at, values[1:], strict=True):
        found[row:] = value
    return found


@cache
def stretches() -> tuple[Batch, Batch]:
    rows = concatenate(list(OrbitSource(hours=(TRAINED + LATER) / 36000, seed=9)))
    magnet = steps((1500, 3000, 4500, 6000, 10500), (0.0, 1.0, -1.0, 0.5, 0.0, 1.6), TRAINED + LATER)
    mode = steps((2200, 3800, 7000, 12000), (1.0, 2.0, 1.0, 2.0, 1.0), TRAINED + LATER)
    whole = caused(rows, magnet, mode)
    return whole[:TRAINED], whole[TRAINED:]


@cache
def fitted() -> dict:
    scorer = Orbit(context=("MAG*", "MODE*")).fit(Window(InMemory(stretches()[0], 1500), 10))
    return scorer.__dict__


@pytest.fixture
def orbit() -> Orbit:
    scorer = Orbit()
    scorer.__dict__.update(fitted())
    scorer.resume({})
    return scorer


def scores(scorer: Orbit, rows: Batch) -> Floats:
    scorer.resume({})
    found = []
    for batch in Window(InMemory(rows, 1500), 10):
        found.append(scorer.score(batch))
        scorer.update(batch)
    return np.concatenate(found)


def test_what_follows_from_its_causes_is_no_anomaly(orbit: Orbit) -> None:
    """Also at a current that the magnet never had before; a window in which it changes is mixed."""
    followed = scores(orbit, stretches()[1])
    changes = [(10500 - TRAINED) // 10, (12000 - TRAINED) // 10]
    quiet = np.delete(followed, [k for at in changes for k in (at - 1, at, at + 1)], axis=0)
    assert quiet[20:].max() < 30.0
    assert not [one for one in orbit.standing() if one.state == "moved"]


def test_the_same_move_without_its_cause_is_one(orbit: Orbit) -> None:
    rows = stretches()[1]
    values = np.array(rows.values)
    values[:, -2], values[:, -1] = values[0, -2], values[0, -1]
    alone = scores(orbit, rows.with_values(values))
    at = (10500 - TRAINED) // 10
    assert alone[at + 1 : at + 6, 1].min() > 45.0
    assert [one for one in orbit.standing() if one.state == "moved"]


def test_faults_are_named_and_causes_have_no_evidence(orbit: Orbit, tmp_path: Path) -> None:
    rows = stretches()[1]
    values = np.array(rows.values)
    values[3000:3100, 60] += 5.0 * machine().jitter[60]
    batch = next(iter(Window(InMemory(rows.with_values(values), 3600), 10)))
    assert {one[0].where for one in orbit.find(batch)[300:309]} == {machine().names[60]}
    evidence = orbit.explain(batch)
    assert evidence.shape == batch.values.shape
    assert not evidence[:, -2:].any()
    orbit.save(tmp_path)
    again = Orbit.load(tmp_path)
    np.testing.assert_allclose(again.score(batch), orbit.score(batch), rtol=1e-3, atol=0.05)


def test_a_cause_that_misses_does_nothing(orbit: Orbit) -> None:
    rows = stretches()[1]
    values = np.array(rows.values)
    values[2000:2100, -2:] = np.nan
    assert np.isfinite(scores(orbit, rows.with_values(values))).all()


@pytest.mark.parametrize(("patterns", "says"), [(("NONE*",), "no channel that moves"), (("*",), "every channel")])
def test_patterns_that_make_no_sense_are_refused(patterns: tuple[str, ...], says: str) -> None:
    with pytest.raises(SettingsError, match=says):
        Orbit(context=patterns).fit(Window(InMemory(stretches()[0][:2000], 1000), 10))
