"""Events with one lepton: conservation, edges in closed form, yields, mis-modelling, and what data do not tell."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lynkeus.core import SettingsError, concatenate
from lynkeus.simulate.jets.four_vectors import mass_of
from lynkeus.simulate.search.one_lepton.columns import (
    BACKGROUND_FB,
    COLUMNS,
    POINTS,
    PROCESSES,
    SELECTED,
    TOP,
    W,
    gluino_fb,
)
from lynkeus.simulate.search.one_lepton.decays import HADRONS, LEPTON, decay_top
from lynkeus.simulate.search.one_lepton.fast import selected_share
from lynkeus.simulate.search.one_lepton.hard import make
from lynkeus.simulate.search.one_lepton.mt2 import mt2
from lynkeus.simulate.search.one_lepton.source import OneLepton
from lynkeus.sources import open_source

RAW = 2000


@pytest.fixture(scope="module")
def simulation() -> Any:
    return concatenate(list(OneLepton(n=3000, seed=3)))


@pytest.mark.parametrize("process", PROCESSES)
def test_momentum_is_conserved(process: str) -> None:
    made, rows = make(process, np.tile((1900.0, 100.0), (RAW, 1)), np.random.default_rng(1))
    assert len(made) == len(rows) > 0
    total = made.total()
    np.testing.assert_allclose(total[:, :2], 0.0, atol=1e-6)
    if process == "signal":  # two gluinos and jets
        assert (mass_of(total) > 2 * 1900.0 - 1e-3).all()


def test_tops_and_w_have_their_masses_and_the_lepton_its_edge() -> None:
    rng = np.random.default_rng(2)
    tops = np.column_stack([*rng.normal(0, 300, (3, RAW)), np.zeros(RAW)])
    tops[:, 3] = np.sqrt((tops[:, :3] ** 2).sum(axis=1) + TOP**2)
    made = decay_top(tops, np.where(np.arange(RAW) % 2, HADRONS, LEPTON), rng)
    np.testing.assert_allclose(made.total(), tops, atol=1e-6)
    leptonic = made.leptons[::2, 0]
    neutrino = made.unseen[::2]
    np.testing.assert_allclose(mass_of(leptonic + neutrino), W, rtol=1e-6)
    across = 2 * (
        np.hypot(*leptonic[:, :2].T) * np.hypot(*neutrino[:, :2].T) - (leptonic * neutrino)[:, :2].sum(axis=1)
    )
    mt = np.sqrt(np.maximum(across, 0))
    assert mt.max() <= W + 1e-6
    assert mt.max() > 0.95 * W  # the Jacobian edge is reached
    m2_bl = mass_of(made.jets[::2, 0] + leptonic) ** 2
    assert m2_bl.max() <= TOP**2 - W**2 + 1e-3  # (b, lepton): the end point in closed form
    assert m2_bl.mean() == pytest.approx((TOP**2 - W**2) / 2, rel=0.05)  # an isotropic W


def test_mt2_is_bounded_by_the_mass_and_reaches_known_values() -> None:
    made, _ = make("tt2l", np.zeros((RAW, 2)), np.random.default_rng(3))
    one, two = made.leptons[:, 0], made.leptons[:, 1]
    real = (one[:, 3] > 0) & (two[:, 3] > 0)
    found = mt2(one[real, :2], two[real, :2], made.unseen[real, :2])
    # Taus hide more momentum than one neutrino each, which makes MT2 smaller, never larger than W.
    assert found.max() <= W + 0.5
    assert found.max() > 0.7 * W
    # Back to back, nothing recoils: with p+q = 0 in all and equal sides MT2 is closed: 2 pt for parallel leptons.
    same = np.array([[50.0, 0.0]])
    assert mt2(same, same, np.array([[-100.0, 0.0]]))[0] == pytest.approx(100.0, rel=1e-3)
    assert mt2(same, np.array([[-20.0, 10.0]]), np.zeros((1, 2)))[0] == pytest.approx(0.0, abs=1e-2)


def test_weights_are_events_that_are_expected(simulation: Any) -> None:
    own = OneLepton(n=3000, seed=3)
    truth = simulation.truth
    for k, name in enumerate(PROCESSES):
        expected = sum(value for key, value in own.yields.items() if key[0] == name)
        assert simulation.weight[truth == k].sum() == pytest.approx(expected, rel=1e-6)
    assert set(simulation.meta["process"]) == set(PROCESSES)
    for name in ("btag", "isr", "lepton", "wscale"):
        up, down = (simulation.meta[f"weight_{name}_{way}"] for way in ("up", "down"))
        np.testing.assert_allclose((up + down) / 2, simulation.weight, rtol=1e-6)
    assert (simulation.meta["ht_jec_up"] > simulation.meta["ht_jec_down"]).all()
    column = dict(zip(simulation.schema.names, simulation.values.T, strict=True))
    assert (column["lt"] > 300).all()
    np.testing.assert_allclose(column["lt"], column["met"] + column["lepton_pt"], rtol=1e-5)


@pytest.mark.parametrize("process", ["tt1l", "wjets", "1900_100", "1700_1200"])
def test_the_table_of_selected_shares_is_what_raw_events_give(process: str) -> None:
    masses = np.array([float(one) for one in process.split("_")]) if "_" in process else np.zeros(2)
    found = selected_share("signal" if "_" in process else process, masses, 1.0, 0.0, 30_000)
    assert found == pytest.approx(SELECTED[process], abs=5 * np.sqrt(SELECTED[process] / 30_000))
    assert set(SELECTED) == set(BACKGROUND_FB) | set(POINTS)
    np.testing.assert_allclose(gluino_fb(np.array([1900.0])), 1.63)


def test_processes_look_as_they_should(simulation: Any) -> None:
    column = dict(zip(simulation.schema.names, simulation.values.T, strict=True))

    def mean(name: str, process: str) -> float:
        return float(column[name][simulation.truth == PROCESSES.index(process)].mean())

    assert mean("dphi_w_l", "signal") > mean("dphi_w_l", "tt2l") > 2 * mean("dphi_w_l", "tt1l")
    assert mean("n_b", "tt1l") > 1 > 5 * mean("n_b", "wjets")
    assert mean("n_iso_track", "tt2l") > 3 * mean("n_iso_track", "tt1l") > 0
    assert mean("n_jet", "signal") > mean("n_jet", "tt1l") > mean("n_jet", "wjets")


def test_columns_overlap_as_those_of_pythia(simulation: Any) -> None:
    """by_pythia.json: number of events, then mean and spread of each column of `engine=pythia` (signal of 1900_100)."""
    measured = json.loads((Path(__file__).parent / "by_pythia.json").read_text("utf-8"))
    column = dict(zip(simulation.schema.names, simulation.values.T, strict=True))
    for process, own in measured.items():
        rows = simulation.truth == PROCESSES.index(process)
        if process == "signal":
            rows &= column["m_gluino"] == 1900.0
            rows &= column["m_lsp"] == 100.0
        for name in COLUMNS:
            mean, spread = own[name]
            # A tenth of a spread is what so few events of both leave open.
            assert abs(column[name][rows].mean() - mean) < 0.85 * spread, (process, name)


def test_data_hide_the_process_and_are_as_many_as_expected() -> None:
    own = OneLepton(data=1, seed=5, luminosity=3.0, factors="wjets:0.5", strength=40.0)
    found = concatenate(list(own))
    assert (found.truth == -1).all()
    assert (found.weight == 1).all()
    assert set(found.meta["process"]) == {"data"}
    count = {name: int((found.meta["truth_process"] == name).sum()) for name in PROCESSES}
    whole = OneLepton(data=1, luminosity=3.0, strength=40.0).yields
    for name in PROCESSES:
        expected = sum(value for key, value in whole.items() if key[0] == name) * (0.5 if name == "wjets" else 1.0)
        assert abs(count[name] - expected) < 5 * np.sqrt(expected) + 1
    assert len(own) == len(found) == len(own.of_length(7))


def test_a_tail_falls_and_bends_the_weights_of_simulation() -> None:
    plain = concatenate(list(OneLepton(n=800, processes="wjets", seed=2)))
    bent = concatenate(list(OneLepton(n=800, processes="wjets", seed=2, tail=1.0)))
    np.testing.assert_array_equal(plain.values, bent.values)
    ratio = bent.weight / plain.weight
    order = np.argsort(plain.meta["truth_w_pt"])
    assert (np.diff(ratio[order]) <= 1e-9).all()
    assert bent.weight.sum() < plain.weight.sum()
    data = {tail: concatenate(list(OneLepton(data=1, processes="wjets", tail=tail, luminosity=1.2))) for tail in (0, 1)}
    pt = {tail: float(one.meta["truth_w_pt"].mean()) for tail, one in data.items()}
    weighted = float(np.average(bent.meta["truth_w_pt"], weights=bent.weight))
    assert pt[1] < pt[0]
    assert pt[1] == pytest.approx(weighted, rel=0.08)


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("processes=tth", "no process 'tth'"),
        ("points=900_890", "leave room for two tops"),
        ("points=1e9_1", "must lie from 800 to 2600"),
        ("points=heavy", "is no mass point"),
        ("factors=wjets:-1", "factors of wjets must lie from 0"),
        ("factors=wjets", "write wjets:NUMBER"),
        ("engine=delphes", "engine must be fast or pythia"),
        ("data=2", "data must be 0 or 1"),
        ("jec=nan", "jec must be a number"),
        ("n=-4", "n must be a whole number"),
    ],
)
def test_bad_settings_are_one_line(query: str, says: str) -> None:
    with pytest.raises(SettingsError, match=says):
        open_source(f"sim://one_lepton?{query}")


@pytest.mark.slow(6)
def test_pythia_makes_the_same_columns() -> None:
    pytest.importorskip("pythia8mc")
    pytest.importorskip("fastjet")
    from lynkeus.simulate.search.one_lepton.pythia.make import events
    from lynkeus.simulate.search.one_lepton.pythia.slha import slha_text

    assert "1.0  3  6  -6  1000022" in slha_text(1900, 100)
    found = events("signal", np.tile((1900.0, 100.0), (20, 1)), 1.0, (1, 2))
    fast = next(iter(OneLepton(n=20, processes="signal", points="1900_100", seed=1)))
    assert set(found) >= set(fast.schema.names) - {"m_gluino", "m_lsp"}
    assert {f"{name}_jec_up" for name in ("met", "ht", "n_jet")} <= set(found)
    assert all(len(column) == 20 for column in found.values())
    assert 450 < found["met"].mean() < 900
    assert found["n_jet"].mean() > 6
    assert found["n_b"].mean() > 1
    assert (found["lt"] > 300).all()
    assert (found["ht_jec_up"] >= found["ht_jec_down"]).all()
    with pytest.raises(SettingsError, match="decays gluinos to real tops"):
        events("signal", np.tile((1500.0, 1200.0), (1, 1)), 1.0, (1,))
