"""Weights of events: with the factors and efficiencies of a file, simulation has the efficiencies of data."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lynkeus.core import SettingsError, SourceError
from lynkeus.scale_factors.apply import (
    event_weights,
    factors,
    jet_weights,
    read_corrections,
    sources_of,
    tag_efficiencies,
)
from lynkeus.scale_factors.correction import binning, category, inputs, write_corrections
from lynkeus.scale_factors.jets import Bins

pytest.importorskip("correctionlib")

FACTOR = {"loose": {5: 0.95, 0: 1.1}, "tight": {5: 0.9, 0: 1.3}}
EFFICIENCY = {"loose": {5: 0.8, 0: 0.1}, "tight": {5: 0.5, 0: 0.02}}


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two working points of two flavours, the same in every bin; up of one source is 10 % more."""
    path = tmp_path_factory.mktemp("corrections") / "sf.json"
    corrections = []
    for name in FACTOR:
        by_key = {
            key: category(
                "flavor", {f: binning("abseta", (0.0, 2.4), [times * s], "error") for f, s in FACTOR[name].items()}
            )
            for key, times in (("central", 1.0), ("up_tune", 1.1), ("down_tune", 0.9))
        }
        common = {"version": 1, "output": {"name": "weight", "type": "real"}}
        factor = {
            "name": f"b_{name}",
            "inputs": inputs("systematic", "flavor", "abseta"),
            "data": category("systematic", by_key),
        }
        efficiency = {
            "name": f"b_{name}_efficiency",
            "inputs": inputs("flavor"),
            "data": category("flavor", EFFICIENCY[name]),
        }
        corrections += [common | factor, common | efficiency]
    write_corrections({"schema_version": 2, "corrections": corrections}, path)
    return path


def jets(flavours: Any, seed: int = 0) -> dict[str, Any]:
    draw = np.random.default_rng(seed)
    return {
        "flavor": np.asarray(flavours),
        "pt": draw.uniform(30, 200, len(flavours)),
        "eta": draw.uniform(-2.4, 2.4, len(flavours)),
    }


def test_one_working_point_by_hand(path: Path) -> None:
    found = jet_weights(read_corrections(path), ["b_loose"], jets([5, 5, 0, 0]), [1, 0, 1, 0])
    expected = [0.95, (1 - 0.95 * 0.8) / 0.2, 1.1, (1 - 1.1 * 0.1) / 0.9]
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    events = event_weights(found, [0, 0, 2, 2], 3)
    np.testing.assert_allclose(events, [expected[0] * expected[1], 1.0, expected[2] * expected[3]], rtol=1e-6)


def test_two_working_points_by_hand(path: Path) -> None:
    found = jet_weights(read_corrections(path), ["b_loose", "b_tight"], jets([5, 5, 5]), [0, 1, 2])
    between = (0.95 * 0.8 - 0.9 * 0.5) / (0.8 - 0.5)
    np.testing.assert_allclose(found, [(1 - 0.95 * 0.8) / 0.2, between, 0.9], rtol=1e-6)


def test_the_simulation_gets_the_efficiency_of_data_and_keeps_its_size(path: Path) -> None:
    draw = np.random.default_rng(3)
    flavours = draw.choice([5, 0], 40_000)
    drawn = draw.random(len(flavours))
    cuts = {name: np.where(flavours == 5, EFFICIENCY[name][5], EFFICIENCY[name][0]) for name in EFFICIENCY}
    passed = (drawn < cuts["loose"]).astype(int) + (drawn < cuts["tight"])
    own = jets(flavours)
    bins = Bins((30.0, 200.0), (0.0, 2.4))
    mine = {f"b_{name}": tag_efficiencies(own, passed > k, bins) for k, name in enumerate(EFFICIENCY)}
    found = jet_weights(read_corrections(path), ["b_loose", "b_tight"], own, passed, efficiencies=mine)
    for k, name in enumerate(EFFICIENCY):
        for flavour in (5, 0):
            here = flavours == flavour
            wanted = FACTOR[name][flavour] * mine[f"b_{name}"][here][0]
            assert np.average(passed[here] > k, weights=found[here]) == pytest.approx(wanted, rel=1e-6)
    for flavour in (5, 0):  # no jet is lost: what is measured by own efficiencies sums to the number of jets
        assert found[flavours == flavour].sum() == pytest.approx((flavours == flavour).sum(), rel=1e-6)


def test_up_and_down_by_source(path: Path) -> None:
    assert sources_of(path, "b_loose") == ["tune"]
    assert sources_of(path, "b_loose_efficiency") == []
    correction = read_corrections(path)["b_loose"]
    np.testing.assert_allclose(factors(correction, jets([5, 0]), "up_tune"), [0.95 * 1.1, 1.1 * 1.1])
    up = jet_weights(read_corrections(path), ["b_loose"], jets([5, 5]), [1, 0], "up_tune")
    np.testing.assert_allclose(up, [1.045, (1 - 1.045 * 0.8) / 0.2], rtol=1e-6)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"names": ["b_medium"]}, "no correction 'b_medium_efficiency'"),
        ({"names": ["b_tight", "b_loose"]}, "b_loose: its efficiency is larger"),
        ({"passed": [2, 0]}, "from 0 to 1"),
        ({"jets": {"flavor": [5, 5], "pt": [40.0, 40.0]}}, "no column 'eta'"),
        ({"jets": jets([5, 4])}, "leave out such jets"),
        ({"systematic": "up_moon"}, "up_moon"),
    ],
)
def test_bad_input_is_one_line(path: Path, change: dict[str, Any], says: str) -> None:
    given = {"names": ["b_loose"], "jets": jets([5, 5]), "passed": [1, 0], "systematic": "central"} | change
    with pytest.raises(SettingsError) as error:
        jet_weights(read_corrections(path), given["names"], given["jets"], given["passed"], given["systematic"])
    assert says in str(error.value)
    assert "\n" not in str(error.value)


def test_another_file_and_another_event_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("{}", "utf-8")
    with pytest.raises(SourceError, match="is no file of corrections"):
        read_corrections(tmp_path / "a.json")
    with pytest.raises(SourceError, match="there is no such file"):
        read_corrections(tmp_path / "b.json")
    with pytest.raises(SettingsError, match="0 to 1"):
        event_weights([1.0], [2], 2)
