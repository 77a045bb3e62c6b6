"""Workspaces that pyhf reads: its CLs, limits, significances; pulls and impacts; the published likelihoods."""

from __future__ import annotations

import json
import os
import tarfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from scipy.stats import norm

from lynkeus.core import SettingsError
from lynkeus.metrics.significance import asimov_significance
from lynkeus.searches.inference import Model, best_fit, cls_of, discovery, impacts, upper_limit
from lynkeus.searches.likelihood import Likelihood
from lynkeus.searches.normalise import Regions, normalise
from lynkeus.searches.rates import Rates
from lynkeus.searches.report.drawn import intervals
from lynkeus.searches.workspace import Channel, Sample, Variation, workspace

pyhf = pytest.importorskip("pyhf")
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::RuntimeWarning", "ignore::UserWarning")


def counts(*values: float) -> Any:
    return np.array(values, float)


def search(signal: float = 6.0, observed: float = 52.0) -> list[Channel]:
    jes = {"jes": Variation(counts(55, 6), counts(46, 4.2))}
    region = Channel(
        "signal [SR]",
        [
            Sample("tt", counts(50, 5), counts(4, 0.6), jes, ("tt",)),
            Sample("signal", counts(1, signal), counts(0.01, 0.05), {}, ("mu",)),
        ],
        counts(observed, 6),
    )
    control = Channel("control", [Sample("tt", counts(500), counts(20), {}, ("tt",))], counts(480))
    return [region, control]


def test_pyhf_reads_it_and_gives_its_own_numbers() -> None:
    written = json.loads(json.dumps(workspace(search())))
    model = Model.of(written)
    limit = upper_limit(model, toys=0)
    assert limit.expected[0] < limit.expected[1] < limit.expected[2] < limit.expected[3] < limit.expected[4]
    read = pyhf.Workspace(written)
    own, data = read.model(), read.data(read.model())
    bounds = own.config.suggested_bounds()
    for k, at in enumerate((limit.observed, *limit.expected)):
        found = cls_of(model, at)
        assert found[k] == pytest.approx(0.05, abs=1e-4 if k in (0, 3) else 1e-3)
        if k in (0, 3):
            seen, band = pyhf.infer.hypotest(
                at, data, own, test_stat="qtilde", return_expected_set=True, par_bounds=bounds
            )
            assert [float(seen), *map(float, band)] == pytest.approx(found, abs=1e-4)
    found = discovery(model)
    assert found.p_value == pytest.approx(float(norm.sf(found.significance)), rel=1e-6)
    assert found.expected > 0.8


def test_rates_are_pyhfs_and_slopes_are_exact() -> None:
    written = workspace(search())
    sample = written["channels"][0]["samples"][0]
    sample["modifiers"].append({"name": "own", "type": "shapesys", "data": [5.0, 1.0]})
    model = Model.of(written).model
    found = Rates.of(model)
    assert found is not None
    rng = np.random.default_rng(1)
    low, high = np.asarray(model.config.suggested_bounds(), float).T
    x = np.clip(np.asarray(model.config.suggested_init()) + rng.normal(0, 1.2, (40, found.parameters)), low, high)
    assert (np.abs(x) > 1).any()
    theirs = [np.asarray(model.main_model.expected_data(one), float) for one in x]
    np.testing.assert_allclose(found(x), theirs, rtol=1e-12)
    rate, slopes = found.derive(x)
    np.testing.assert_allclose(rate, theirs, rtol=1e-12)
    moved = np.repeat(x[:, None], found.parameters, axis=1)
    step = 1e-6 * np.eye(found.parameters)
    up, down = (found((moved + sign * step).reshape(-1, found.parameters)).reshape(slopes.shape) for sign in (1, -1))
    np.testing.assert_allclose(slopes, (up - down) / 2e-6, atol=1e-5 * np.abs(slopes).max())


def test_other_codes_of_interpolation_are_left_to_pyhf() -> None:
    own = pyhf.Workspace(workspace(search()))
    model = own.model(modifier_settings={"normsys": {"interpcode": "code1"}, "histosys": {"interpcode": "code0"}})
    assert Rates.of(model) is None
    likelihood = Likelihood(model)
    x, data = np.asarray(model.config.suggested_init(), float)[None], np.asarray(own.data(model), float)[None]
    fine = likelihood.derive(x, data)
    for k in range(likelihood.parameters):
        moved = x.copy()
        moved[:, k] += 1e-4
        assert likelihood.of(moved, data)[0] - fine.value[0] == pytest.approx(1e-4 * fine.slope[0, k], abs=1e-3)


def test_limits_by_toys_are_those_of_a_count_and_need_enough_of_them() -> None:
    few = [Channel("SR", [Sample("b", counts(0.5), counts(0), {}, ()), Sample("s", counts(2), counts(0), {}, ("mu",))],
                   counts(0))]  # fmt: skip
    model = Model.of(workspace(few))
    found = upper_limit(model, toys=1000)
    assert found.observed == pytest.approx(np.log(20) / 2, rel=0.15)  # of no event seen, whatever the background
    assert (np.diff(found.expected) >= 0).all()
    with pytest.raises(SettingsError, match="must be 0 or at least 1000"):
        upper_limit(model, toys=300)
    assert discovery(model, 1000).significance == 0.0


def test_one_bin_without_uncertainty_is_the_formula() -> None:
    one = Channel("SR", [Sample("b", counts(40), counts(0), {}, ()), Sample("s", counts(15), counts(0), {}, ("mu",))],
                  counts(55))  # fmt: skip
    found = discovery(Model.of(workspace([one])))
    expected = float(asimov_significance(15.0, 40.0))
    assert found.expected == pytest.approx(expected, rel=1e-3)
    assert found.significance == pytest.approx(expected, rel=1e-3)


def test_factors_are_those_of_the_linear_system() -> None:
    shares = np.array([[0.8, 0.12, 0.08], [0.15, 0.7, 0.15], [0.05, 0.1, 0.85]])
    expected = shares * counts(900, 500, 1200)
    true = counts(1.05, 0.9, 0.72)
    own = Regions(("a", "b", "c"), ("tt1l", "tt2l", "wj"), expected, 0.2 * expected, np.round(expected @ true))
    solved = normalise(own)
    channels = [
        Channel(
            name,
            [Sample(b, expected[i, [j]], own.variance[i, [j]], {}, (b,)) for j, b in enumerate(own.backgrounds)],
            own.observed[[i]],
        )
        for i, name in enumerate(own.names)
    ]  # fmt: skip
    fitted = best_fit(Model.of(workspace(channels, strength="tt1l")))
    for name, factor, error in zip(own.backgrounds, solved.factors, solved.errors, strict=True):
        assert fitted.values[name] == pytest.approx(factor, abs=0.02 * error)
        assert fitted.errors[name] == pytest.approx(error, rel=0.1)


def test_pulls_and_impacts() -> None:
    model = Model.of(workspace(search(observed=75.0)))
    best = best_fit(model)
    assert best.pulls["jes"] > 1.0
    ranked = impacts(model)
    assert {one.name for one in ranked} >= {"jes", "tt"}
    assert ranked[0].size >= ranked[-1].size
    assert best_fit(model, {"mu": 0.0}).minus_two_log >= best.minus_two_log - 1e-3


def test_toys_agree_where_there_are_enough_events() -> None:
    one = [Channel("SR", [Sample("b", counts(40), counts(0), {}, ()), Sample("s", counts(15), counts(0), {}, ("mu",))],
                   counts(45))]  # fmt: skip
    model = Model.of(workspace(one))
    assert model.fewest > 5
    asymptotic, thrown = cls_of(model, 1.0), cls_of(model, 1.0, 400)
    assert thrown[0] == pytest.approx(asymptotic[0], abs=0.1)
    assert thrown[3] == pytest.approx(asymptotic[3], abs=0.1)
    few = [Channel("SR", [Sample("b", counts(0.5), counts(0), {}, ()), Sample("s", counts(2), counts(0), {}, ("mu",))],
                   counts(0))]  # fmt: skip
    assert Model.of(workspace(few)).fewest < 5


def test_events_have_poisson_intervals() -> None:
    low, high = intervals(counts(0, 1, 4, 100))
    np.testing.assert_allclose(low, [0, 0.173, 2.086, 90.02], atol=6e-3)
    np.testing.assert_allclose(high, [1.841, 3.300, 7.163, 111.03], atol=6e-3)


def test_what_no_likelihood_has_is_said() -> None:
    region, control = search()
    tt, signal = region.samples
    with pytest.raises(SettingsError, match=r"region signal \[SR\], bin 2: the weights of tt add up to -1"):
        workspace([replace(region, samples=[replace(tt, counts=counts(50, -1)), signal]), control])
    with pytest.raises(SettingsError, match="bin 2 expects nothing"):
        workspace([replace(region, samples=[replace(tt, counts=counts(50, 0)), replace(signal, counts=counts(1, 0))])])
    with pytest.raises(SettingsError, match="jes of tt has 3 and 2 bins"):
        workspace(
            [replace(region, samples=[replace(tt, systematics={"jes": Variation(counts(1, 2, 3), counts(1, 2))})])]
        )
    with pytest.raises(SettingsError, match="schema"):
        Model.of({"channels": []})


def test_what_somebody_else_published_is_read(tmp_path: Path, lynkeus: Callable[..., Any]) -> None:
    region, control = search()
    whole = workspace([region, control])
    signal = whole["channels"][0]["samples"].pop()
    place, patch = tmp_path / "background.json", tmp_path / "patch.point.json"
    place.write_text(json.dumps(whole), "utf-8")
    change = [{"op": "add", "path": "/channels/0/samples/1", "value": signal}]
    patch.write_text(json.dumps(change), "utf-8")
    done = lynkeus("search", place, "--patch", patch, "-o", tmp_path / "OUT")
    assert done.code == 0, done
    row = pq.read_table(tmp_path / "OUT" / "limits.parquet").to_pylist()[0]
    own = upper_limit(Model.of(workspace([region, control])), toys=0)
    assert row["name"] == "point"
    assert row["limit_observed"] == pytest.approx(own.observed, rel=1e-3)
    assert row["expected"] == pytest.approx(own.expected[2], rel=1e-3)
    other = tmp_path / "other.json"
    other.write_text(json.dumps([{"op": "remove", "path": "/channels/7"}]), "utf-8")
    assert "is the patch of this workspace" in lynkeus("search", place, "--patch", other, "-o", tmp_path / "OUT").line
    assert "no JSON patch" in lynkeus("search", place, "--patch", place, "-o", tmp_path / "OUT").line
    assert "a published workspace" in lynkeus("search", "plan.toml", "--patch", patch, "-o", tmp_path / "OUT").line


DATA = os.environ.get("LYNKEUS_DATA")
ARCHIVE = Path(DATA or "/nowhere") / "hep" / "pyhf-ins1748602-probability-models.tar.gz"


@pytest.mark.slow
@pytest.mark.skipif(not ARCHIVE.is_file(), reason="needs the published likelihoods in LYNKEUS_DATA")
def test_a_published_likelihood_gives_its_cls() -> None:
    with tarfile.open(ARCHIVE) as archive:

        def read(name: str) -> Any:
            member = next(one for one in archive.getmembers() if one.name.endswith(name))
            file = archive.extractfile(member)
            assert file is not None
            return json.load(file)

        background, patch = read("RegionA/BkgOnly.json"), read("RegionA/patch.sbottom_1300_850_60.json")
    model = Model.of(background, [patch])
    found = cls_of(model, 1.0)
    read_as_published = pyhf.Workspace(background)
    own = read_as_published.model(patches=[patch])
    seen, band = pyhf.infer.hypotest(
        1.0, read_as_published.data(own), own, test_stat="qtilde", return_expected_set=True
    )
    assert [float(seen), *map(float, band)] == pytest.approx(found, abs=1e-4)
    assert 1e-4 < found[0] < 0.01
