"""The study of the one-lepton search: its plan is a plan, and a small run finds the factors that were put in."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lynkeus.core import SettingsError
from lynkeus.searches.events import Events
from lynkeus.studies.one_lepton.look import SearchLook, earlier_region

LOOK = SearchLook("sim://one_lepton?n=10", "sim://one_lepton?data=1", {"wjets": 0.7, "tt1l": 0.8}, ("1900_100",))


def test_the_plan_is_one() -> None:
    plan = LOOK.plan(Path("MODEL"))
    assert plan.normalised == ("tt1l", "wjets")
    assert [region.name for region in plan.signal_regions] == ["signal"]
    assert len(plan.controls) == 4
    assert {one.kind for one in plan.systematics} == {"weights", "columns", "size"}
    with pytest.raises(SettingsError, match="points"):
        SearchLook("a", "b", {"tt1l": 1.0, "wjets": 1.0}, ("1900",)).plan(Path("MODEL"))


def test_the_earlier_region_counts_weights() -> None:
    plan = LOOK.plan(Path("MODEL"))
    columns = {
        "process": np.array(["signal", "signal", "tt1l", "tt1l", "wjets"]),
        "region": np.array(["high_dphi", "high_dphi", "high_dphi", "low_dphi", "high_dphi"]),
        "n_jet": np.array([6.0, 6, 6, 6, 3]), "n_b": np.array([1.0, 1, 2, 2, 2]),
        "m_gluino": np.array([1900.0, 1500, 1900, 1900, 1900]), "m_lsp": np.array([100.0, 1000, 100, 100, 100]),
    }  # fmt: skip
    events = Events("made up", columns, np.array([3.0, 5.0, 2.0, 7.0, 9.0]))
    found = type("Found", (), {"points": ["1900_100"]})()
    signal, background, z = earlier_region(events, plan, found)["1900_100"]
    assert (signal, background) == (3.0, 2.0)
    assert 0 < z < 3.0 / np.sqrt(2.0) + 1
