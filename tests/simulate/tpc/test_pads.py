"""Pad planes and spectra of krypton and collisions: as many pads as published, lines and faults as said."""

from __future__ import annotations

import numpy as np
import pytest

from lynkeus.core import SettingsError
from lynkeus.simulate.tpc.planes import pad_plane
from lynkeus.sources import open_source


def test_planes_have_as_many_pads_as_published() -> None:
    sizes = {
        "VTPC-1": 26_886,
        "VTPC-2": 27_648,
        "MTPC-L": 63_360,
        "MTPC-R": 63_360,
        "GAP": 672,
        "na61": 181_926,
        "alice": 524_160,
    }
    for name, size in sizes.items():
        plane = pad_plane(name)
        assert len(plane) == size
        key = np.stack([plane.sector, plane.row, plane.pad])
        assert np.unique(key, axis=1).shape[1] == size
    chambers, counts = np.unique(pad_plane("na61").chamber, return_counts=True)
    assert dict(zip(chambers.tolist(), counts.tolist(), strict=True)) == {
        k: v for k, v in sizes.items() if "TPC" in k or k == "GAP"
    }
    with pytest.raises(SettingsError, match="there are na61"):
        pad_plane("atlas")


def batch(url: str):
    return next(iter(open_source(url)))


def test_lines_and_gains_are_where_the_options_say() -> None:
    found = batch("sim://tpc_pads?n=600&faults=0&noise=0&decays=4000&lines=41.55:1&gain_sigma=0.1&threshold=0")
    edges = np.array(found.schema.edges[0][0])
    mean = found.values[:, 1:-1] @ (0.5 * (edges[1:] + edges[:-1])) / found.values.sum(axis=1)
    ratio = mean / (12.0 * 41.55 * found.meta["truth_gain"])
    assert abs(np.median(ratio) - 1) < 0.003
    assert found.meta["truth_gain"].std() > 0.05


def test_the_same_detector_in_another_run_and_at_another_pressure() -> None:
    one = batch("sim://tpc_pads?n=800&chamber_seed=3&seed=1&faults=0")
    other = batch("sim://tpc_pads?n=800&chamber_seed=3&seed=2&faults=0&pressure=960")
    ratio = other.meta["truth_gain"] / one.meta["truth_gain"]
    assert ratio.std() < 0.005
    assert abs(np.log(ratio.mean()) / np.log(970 / 960) - 4.5) < 0.5
    assert not np.array_equal(one.values, other.values)


def test_faults_are_as_many_as_said_and_dead_pads_lie_on_cards() -> None:
    found = batch("sim://tpc_pads?n=6000&faults=0.2&mix=dead:1")
    dead = found.meta["truth_class"] == "dead"
    assert 0.1 < dead.mean() < 0.3
    assert found.values[dead].sum(axis=1).max() < 20
    shares = [dead[found.meta["card"] == card].mean() for card in np.unique(found.meta["card"])]
    assert max(shares) == 1.0


def test_an_eye_scan_has_labels_of_some_pads_and_some_are_wrong() -> None:
    found = batch("sim://tpc_pads?n=3000&labels=1000&wrong=0.05")
    label, truth = found.meta["label"], found.meta["truth_class"]
    assert (label != "").sum() == 1000
    assert 0.02 < (label != truth)[label != ""].mean() < 0.09


def test_swapped_cards_and_spectra_of_collisions() -> None:
    found = batch("sim://tpc_pads?n=3000&swapped=2&by=collisions&faults=0")
    assert found.meta["truth_swapped"].sum() == 4 * 32
    edges = np.array(found.schema.edges[0][0])
    most = edges[found.values[:, 1:-1].argmax(axis=1)]
    assert 100 < np.median(most) < 250  # one Landau-like peak


def test_options_that_cannot_be_are_refused() -> None:
    for option, word in (("lines=a", "ENERGY:WEIGHT"), ("mix=good:1", "good is what is left"), ("mix=x:1", "classes"),
                         ("by=muons", "krypton or collisions"), ("faults=2", "faults must lie"), ("decays=x", "decays"),
                         ("n=900000", "has 181926 pads")):  # fmt: skip
        with pytest.raises(SettingsError, match=word):
            batch(f"sim://tpc_pads?n=10&{option}" if "n=9" not in option else f"sim://tpc_pads?{option}")
