"""Showers: their energy, where they are, how wide; the same number is the same shower; settings that are refused."""

import numpy as np
import pytest

from lynkeus.core import Batch, SettingsError, concatenate
from lynkeus.simulate.calorimeter.source import CalorimeterSource


def showers(**settings: object) -> Batch:
    return concatenate(list(CalorimeterSource(**settings)))  # type: ignore[arg-type]


def test_showers_leave_their_energy_where_they_come_in() -> None:
    batch = showers(n=60, energy=50, cells=48, seed=1)
    energy = batch.values.sum(axis=(1, 2, 3))
    photons = batch.truth == 0
    assert np.median(energy[photons]) == pytest.approx(50, rel=0.05)
    assert energy.max() < 52
    y, x = np.mgrid[:48, :48] + 0.5
    weight = batch.values[:, 0] ** 2
    weight /= weight.sum(axis=(1, 2), keepdims=True)
    off = np.hypot((weight * x).sum(axis=(1, 2)) - batch.meta["x"], (weight * y).sum(axis=(1, 2)) - batch.meta["y"])
    assert off[photons].max() < 1.0
    assert np.median(off[~photons]) > 2 * np.median(off[photons])
    wide = (batch.values[:, 0] > 0.05).sum(axis=(1, 2))
    assert np.median(wide[~photons]) > np.median(wide[photons])


def test_one_number_is_one_shower_and_longer_is_more_of_them() -> None:
    few, more = CalorimeterSource(n=3, seed=4), CalorimeterSource(n=3, seed=4).of_length(5)
    np.testing.assert_array_equal(showers(n=3, seed=4).values, concatenate(list(more)).values[:3])
    assert (len(few), len(more)) == (3, 5)
    assert showers(n=4, particle="pion").truth.tolist() == [1] * 4
    assert (showers(n=2, noise=0.1).values < 0).any()


@pytest.mark.parametrize(
    ("settings", "says"),
    [({"particle": "muon"}, "photon, pion"), ({"cells": 4}, "cells must"), ({"energy": "9-3"}, "two rising ones"),
     ({"energy": "a"}, "energy must"), ({"n": 0}, "n must")],
)  # fmt: skip
def test_settings_that_are_refused(settings: dict[str, object], says: str) -> None:
    with pytest.raises(SettingsError, match=says):
        CalorimeterSource(**settings)  # type: ignore[arg-type]
