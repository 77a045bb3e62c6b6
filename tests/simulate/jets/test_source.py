"""The source of jets: what it promises of seeds, classes, columns and bad input."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from lynkeus.core import Batch, SettingsError, concatenate
from lynkeus.simulate.jets.chunk import CHUNK
from lynkeus.simulate.jets.source import JetSource
from lynkeus.sources import open_source


def of(jets: Batch, name: str) -> np.ndarray:
    return jets.truth == jets.schema.classes.index(name)


def test_a_jet_is_the_same_however_many_there_are() -> None:
    long = JetSource("light,tau", "40-100", n=CHUNK + 20, seed=5)
    every, few = concatenate(list(long)), concatenate(list(long.of_length(30)))
    later = long.chunk(1)[:20]
    assert len(every) == len(long) == CHUNK + 20
    for part, rows in ((few, slice(0, 30)), (later, slice(CHUNK, CHUNK + 20))):
        same = every[rows]
        np.testing.assert_array_equal(part.truth, same.truth)
        for name, group in part.values.groups.items():
            np.testing.assert_allclose(group.values, same.values.groups[name].values, rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(part.meta["jet_tau1"], same.meta["jet_tau1"], rtol=1e-9)
    other = next(iter(JetSource("light,tau", "40-100", n=30, seed=6)))
    assert not np.array_equal(other.meta["jet_pt"], few.meta["jet_pt"])


def test_shares_and_ranges_are_kept() -> None:
    source = open_source("sim://jets?classes=gluon:3,light:1&pt=50-80&eta=1.5&n=400&seed=2")
    jets = concatenate(list(source))
    assert jets.schema.classes == ("gluon", "light")
    assert 0.65 < of(jets, "gluon").mean() < 0.85
    assert (jets.meta["jet_pt"] > 50).all()
    assert (jets.meta["jet_pt"] < 80).all()
    assert np.abs(jets.meta["jet_eta"]).max() < 1.5
    assert set(jets.meta["truth_hadron_flavour"].tolist()) == {0}


def test_columns_are_what_their_names_say(large_jets: Batch) -> None:
    particles = large_jets.values.groups["particles"]
    names = [name.partition("/")[2] for name in large_jets.schema.names if name.startswith("particles/")]
    column = dict(zip(names, particles.values.astype(float).T, strict=True))
    assert particles.values.dtype == np.float32
    np.testing.assert_array_equal(particles.lengths, large_jets.meta["jet_nparticles"])
    total = {k: np.add.reduceat(column[f"part_{k}"], particles.offsets[:-1]) for k in ("px", "py", "pz", "energy")}
    np.testing.assert_allclose(np.hypot(total["px"], total["py"]), large_jets.meta["jet_pt"], rtol=1e-5)
    np.testing.assert_allclose(total["energy"], large_jets.meta["jet_energy"], rtol=1e-5)
    eta = np.arcsinh(column["part_pz"] / np.hypot(column["part_px"], column["part_py"]))
    np.testing.assert_allclose(column["part_deta"], eta - large_jets.meta["jet_eta"][particles.sample], atol=1e-4)
    assert np.hypot(column["part_deta"], column["part_dphi"]).max() < 1.0
    flags = np.stack([column[name] for name in names if name.startswith("part_is")])
    np.testing.assert_array_equal(flags.sum(axis=0), 1)
    tracks = column["part_charge"] != 0
    np.testing.assert_array_equal(tracks, column["part_d0err"] > 0)
    assert set(np.unique(column["part_charge"])) == {-1, 0, 1}
    pt = np.hypot(column["part_px"], column["part_py"])
    same = particles.sample[1:] == particles.sample[:-1]
    assert (np.diff(pt)[same] < 1e-3).all()  # by falling pt


def test_classes_look_like_what_they_are(large_jets: Batch) -> None:
    mass, groomed = large_jets.meta["jet_mass"], large_jets.meta["jet_sdmass"]
    for name, expected, within in (("top", 172.5, 12), ("w", 80.4, 8), ("z", 91.2, 9), ("higgs", 125.1, 12)):
        assert np.median(mass[of(large_jets, name)]) == pytest.approx(expected, abs=within), name
    qcd = of(large_jets, "qcd")
    assert np.median(groomed[qcd]) < 0.75 * np.median(mass[qcd])
    tau = [large_jets.meta[f"jet_tau{k}"] for k in range(1, 5)]
    assert all((a >= b).mean() > 0.9 for a, b in pairwise(tau))  # the axes are not minimised
    assert np.median((tau[2] / tau[1])[of(large_jets, "top")]) < np.median((tau[2] / tau[1])[qcd])
    assert np.median((tau[1] / tau[0])[of(large_jets, "w")]) < np.median((tau[1] / tau[0])[qcd])


def test_lifetimes_and_leptons_show(small_jets: Batch) -> None:
    vertices = small_jets.values.groups["vertices"].lengths > 0
    share = {name: vertices[of(small_jets, name)].mean() for name in small_jets.schema.classes}
    assert share["b"] > 0.5 > 0.4 > share["c"] > 0.12 > 0.08 > share["light"]
    modes, counts = np.unique(small_jets.meta["truth_decay_mode"][of(small_jets, "tau")], return_counts=True)
    assert set(modes.tolist()) <= {0, 1, 2, 10, 11}
    assert counts[list(modes).index(1)] == counts.max()  # h pi0, the most frequent one
    sizes = small_jets.meta["jet_nparticles"]
    assert np.median(sizes[of(small_jets, "gluon")]) > np.median(sizes[of(small_jets, "light")])
    assert np.median(sizes[of(small_jets, "tau")]) < np.median(sizes[of(small_jets, "light")]) / 1.5
    particles = small_jets.values.groups["particles"]
    first = particles.values[particles.offsets[:-1]]  # the leading one of each jet
    names = [name.partition("/")[2] for name in small_jets.schema.names]
    for name, flag in (("electron", "part_isElectron"), ("muon", "part_isMuon")):
        assert first[of(small_jets, name), names.index(flag)].mean() > 0.8


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"classes": "top,quark"}, "no class 'quark'; there are qcd, top"),
        ({"classes": "top,top"}, "named twice"),
        ({"classes": "top:x"}, "share of top 'x' is no number"),
        ({"pt": "600"}, "must be a range in GeV such as 550-650"),
        ({"pt": "650-550"}, "must rise"),
        ({"pt": "a-b"}, "pt 'a' is no number"),
        ({"n": -1}, "n must be a whole number"),
        ({"n": 1.5}, "n must be a whole number"),
        ({"eta": 4}, "at most 2.5"),
        ({"radius": "wide"}, "radius='wide'"),
        ({"generator": "herwig"}, "generator 'herwig' is not one of"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(options: dict[str, object], says: str) -> None:
    with pytest.raises(SettingsError, match="sim://jets") as caught:
        JetSource(**options)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.slow
def test_jets_that_there_cannot_be_are_refused() -> None:
    with pytest.raises(SettingsError, match=r"class top at pt=100-150 GeV too few are within radius=0\.4"):
        next(iter(JetSource("top,light", "100-150", n=10, radius=0.4)))
