"""Pairs of taus: masses are where they belong, jets are those of the process, and files are read back and fitted."""

from __future__ import annotations

import numpy as np
import pytest

from lynkeus.core import Batch, SettingsError, concatenate
from lynkeus.simulate.search.htautau.columns import CHANNELS, PROCESSES, THRESHOLDS, mass
from lynkeus.simulate.search.htautau.events import _decay
from lynkeus.simulate.search.htautau.source import HiggsToTaus
from lynkeus.simulate.search.stop.source import StopSearch


@pytest.fixture(scope="module")
def events() -> Batch:
    return concatenate(list(HiggsToTaus(12_000, channel="all")))


def of(events: Batch, process: str, column: str, channel: str = "") -> np.ndarray:
    chosen = events.truth == PROCESSES.index(process)
    chosen &= (events.meta["channel"] == channel) if channel else True
    return events.values[chosen, events.schema.names.index(column)]


def test_daughters_have_the_mass_and_momentum_of_what_decays() -> None:
    rng = np.random.default_rng(0)
    m, pt, y, phi = np.full(50, 125.0), rng.gamma(2, 40, 50), rng.normal(size=50), rng.uniform(-3, 3, 50)
    first, second = _decay(m, pt, y, phi, rng)
    np.testing.assert_allclose(mass(first + second), 125.0, rtol=1e-9)
    np.testing.assert_allclose(np.hypot(*(first + second)[:, :2].T), pt, rtol=1e-9)
    assert np.abs(mass(first)).max() < 1e-4


@pytest.mark.parametrize("channel", CHANNELS)
def test_masses_are_where_they_belong(events: Batch, channel: str) -> None:
    higgs, z = (np.median(of(events, name, "m_sv", channel)) for name in ("ggh", "ztt"))
    assert higgs == pytest.approx(125, rel=0.15)
    assert z == pytest.approx(91.2, rel=0.2)  # thresholds prefer high masses
    assert higgs - z > 15
    assert (of(events, "ggh", "m_vis", channel) < 150).mean() > 0.97  # neutrinos take energy away
    assert np.median(of(events, "ggh", "m_vis", channel)) < 0.85 * higgs


def test_jets_are_those_of_the_process(events: Batch) -> None:
    assert np.median(of(events, "qqh", "mjj")) > 250
    assert np.mean(of(events, "qqh", "jdeta") > 2.5) > 2 * np.mean(of(events, "ggh", "jdeta") > 2.5)
    assert np.mean(of(events, "tt", "nbtag") >= 1) > 0.6
    assert max(np.mean(of(events, name, "nbtag") >= 1) for name in ("ggh", "ztt", "wjets")) < 0.05
    assert np.median(of(events, "wjets", "mt_1", "mt")) > 1.5 * np.median(of(events, "ztt", "mt_1", "mt"))
    none = of(events, "ggh", "njets") < 2
    assert (of(events, "ggh", "mjj")[none] == 0).all()
    assert np.isfinite(events.values).all()


def test_selection_weights_and_seeds(events: Batch) -> None:
    for channel, least in THRESHOLDS.items():
        own = events.meta["channel"] == channel
        for column, threshold in zip(("pt_1", "pt_2"), least, strict=True):
            assert events.values[own, events.schema.names.index(column)].min() > threshold
    assert events.weight is not None
    own = (events.truth == 2) & (events.meta["channel"] == "mt")
    assert events.weight[own].sum() == pytest.approx(55_000)
    again = next(iter(HiggsToTaus(500, seed=4)))
    np.testing.assert_array_equal(again.values, next(iter(HiggsToTaus(500, seed=4))).values)
    assert not np.array_equal(again.values, next(iter(HiggsToTaus(500, seed=5))).values)


@pytest.mark.parametrize("wrong", [{"channel": "ee"}, {"processes": "ggh,ww"}, {"n": -1}, {"luminosity": 0.0}])
def test_what_cannot_be_is_said(wrong: dict[str, object]) -> None:
    with pytest.raises(SettingsError, match="sim://htautau"):
        HiggsToTaus(**wrong)  # type: ignore[arg-type]


def test_stops_are_as_many_as_published_and_hidden_in_tails() -> None:
    found = concatenate(list(StopSearch(8000)))
    assert found.weight is not None
    stop = found.truth == 1
    assert found.weight[stop].sum() == pytest.approx(31.2, rel=0.01)
    assert found.weight[~stop].sum() == pytest.approx(20_762, rel=0.01)
    met = found.values[:, found.schema.names.index("met")]
    assert np.quantile(met[stop], 0.9) > 1.5 * np.quantile(met[~stop], 0.9)
    assert np.median(met[stop]) < np.quantile(met[~stop], 0.97)
    assert (met > 100).all()
    with pytest.raises(SettingsError, match="luminosity"):
        StopSearch(luminosity=-1.0)
