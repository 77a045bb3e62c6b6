"""Parts of the search classifier: which class is the signal, nuisance parameters, scores in double precision."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import pytest

pytest.importorskip("torch")
import torch

from lynkeus.cli.fit import settings_of
from lynkeus.core import Batch, Schema, SettingsError
from lynkeus.fitting.fit import FitSettings, fit
from lynkeus.fitting.fitted import Fitted
from lynkeus.metrics.significance import asimov_significance
from lynkeus.scorers.taggers.searching.choose import HeldOut, Wanted, choose
from lynkeus.scorers.taggers.searching.dense import Dense, Fast, with_scales
from lynkeus.scorers.taggers.searching.search import discovery_of, expected_events, warnings_of
from lynkeus.scorers.taggers.searching.signal import signal_by_name, signal_by_points
from lynkeus.sources.wrappers.classed import Fold
from lynkeus.training.discovery import Discovery
from lynkeus.training.profiled import Profiled

CLASSES = ("T1tttt", "tt", "wjets")


class Events:
    """Three classes of which the first has two mass points, the others none."""

    schema = Schema("table", ("met", "mass"), shape=(2,), classes=CLASSES)

    def __iter__(self) -> Iterator[Batch]:
        rng = np.random.default_rng(3)
        truth = rng.integers(0, 3, 3000)
        mass = np.where(truth == 0, rng.choice([1500.0, 1900.0], 3000), np.nan)
        yield Batch(self.schema, np.stack([rng.normal(size=3000), mass], 1), truth=truth, weight=np.full(3000, 0.5))


@pytest.mark.parametrize(
    ("classes", "signal"),
    [(("signal", "tt"), "signal"), (("T1tttt", "background"), "T1tttt"), (("0", "1"), "1"), (("a", "b2", "c"), ""),
     (("ggH_signal", "ztt", "misc"), "ggH_signal"), (("signal_1", "signal_2", "tt"), "")],
)  # fmt: skip
def test_the_signal_is_found_by_its_name(classes: tuple[str, ...], signal: str) -> None:
    assert signal_by_name(classes) == signal


def test_the_signal_is_the_class_with_mass_points() -> None:
    assert signal_by_points(Events(), [1]) == "T1tttt"
    assert signal_by_points(Events(), [0]) == ""  # all vary there


def test_expected_events_are_those_of_all_also_from_a_part() -> None:
    whole = expected_events(Events(), CLASSES, "T1tttt")
    part = expected_events(Fold(Events(), 5, inside=False), CLASSES, "T1tttt")
    assert whole.sum() == pytest.approx(1500)
    np.testing.assert_allclose(part, whole, rtol=0.03)


def test_settings_with_commas_are_lists_or_the_next_setting() -> None:
    assert settings_of(["parameters=m_gluino,m_lsp"]) == {"parameters": "m_gluino,m_lsp"}
    assert settings_of(["loss=asimov,systematic=0.5"]) == {"loss": "asimov", "systematic": 0.5}
    both = settings_of(["parameters=a,b,loss=asimov, training.epochs=3", "bins=4"])
    assert both == {"parameters": "a,b", "loss": "asimov", "training": {"epochs": 3}, "bins": 4}
    with pytest.raises(SettingsError, match="must be NAME=VALUE"):
        settings_of(["loss"])


def outputs(n: int = 3000) -> tuple[torch.Tensor, torch.Tensor]:
    rng = np.random.default_rng(1)
    y = rng.integers(0, 3, n)
    return torch.from_numpy(rng.beta(np.where(y == 0, 4, 1), np.where(y == 0, 1, 3))), torch.from_numpy(y)


def test_a_small_uncertainty_of_one_background_is_that_of_the_formula() -> None:
    p, y = outputs()
    y = (y > 0).long()
    for systematic in (0.0, 0.02, 0.05):
        own = float(Profiled((40.0, 900.0), systematic).significance(p, y, 0))
        s, b = 40.0 * float(p[y == 0].mean()), 900.0 * float(p[y == 1].mean())
        assert own == pytest.approx(float(asimov_significance(s, b, systematic * b)), rel=0.03)


def test_bins_without_signal_constrain_the_background() -> None:
    p, y = outputs()
    expected = (40.0, 800.0, 200.0)
    profiled = float(Profiled(expected, 0.5, bins=8).significance(p, y, 0))
    apart = float(Discovery(40.0, 1000.0, 0.5, bins=8).significance(p, (y == 0).double()))
    certain = float(Discovery(40.0, 1000.0, 0.0, bins=8).significance(p, (y == 0).double()))
    assert apart < profiled < certain * 1.05


def test_its_gradient_is_right_though_the_fit_is_outside_the_graph() -> None:
    p, y = outputs(20)
    loss = Profiled((10.0, 60.0, 40.0), 0.4, bins=3)
    logit = torch.logit(p.clamp(0.01, 0.99)).clone().requires_grad_()
    assert torch.autograd.gradcheck(
        lambda x: loss.of_classes(torch.sigmoid(x), y, 0), (logit,), eps=1e-5, atol=1e-4, rtol=1e-2
    )


def test_what_makes_a_search_unsure_is_said() -> None:
    signal, expected = np.arange(100) % 2, np.array([50.0, 50.0])
    said = warnings_of(64, signal, None, expected)
    assert len(said) == 2
    assert "0 background events" in said[0]
    assert "no weights" in said[1]
    heavy = np.where(np.arange(100) == 0, 1000.0, 1.0)
    assert "worth of" in warnings_of(4096, signal, heavy, expected)[0]
    assert isinstance(discovery_of("profiled", expected, 0, 0.1, 2, 0.0), Profiled)
    with pytest.raises(SettingsError, match="bins"):
        Profiled((1.0, 2.0), bins=0)


def test_scores_are_those_of_the_network_to_double_precision_missing_values_as_the_mean() -> None:
    torch.manual_seed(0)
    network = Dense((3, 8, 2), "tanh")
    centre, sigma = np.array([1e3, 0.0, -5.0]), np.array([10.0, 1.0, 2.0])
    x = np.random.default_rng(0).normal(centre, sigma, (9001, 3))
    found = Fast(network, centre, sigma)(x)
    whole = with_scales(network, centre, sigma, None, np.zeros(2))
    np.testing.assert_allclose(found, whole(torch.from_numpy(x)).detach().numpy(), rtol=1e-11, atol=1e-13)
    x[5] = [np.nan, np.inf, -np.inf]
    np.testing.assert_allclose(Fast(network, centre, sigma)(x)[5], Fast(network, centre, sigma)(centre[None])[0])


EXPECTED = {1.0: 200.0, 3.0: 30.0, 5.0: 6.0}  # events of the signal by mass


@dataclass
class Masses:
    """A peak of the signal at one of three masses, of very different cross sections, on two backgrounds."""

    seed: int
    n: int = 12_000
    schema = Schema("table", ("x", "y", "mass"), shape=(3,), classes=("signal", "flat", "low"))

    def __iter__(self) -> Iterator[Batch]:
        rng = np.random.default_rng(self.seed)
        truth = rng.integers(0, 3, self.n)
        mass = rng.choice(list(EXPECTED), self.n)
        x = np.select([truth == 0, truth == 1], [rng.normal(mass, 0.3), rng.uniform(-1, 7, self.n)],
                      rng.exponential(1.5, self.n))  # fmt: skip
        y = rng.normal(np.select([truth == 0, truth == 1], [1.0, 0.0], -1.0), 1.0)
        counts = {m: int(((truth == 0) & (mass == m)).sum()) for m in EXPECTED}
        weight = np.where(truth == 0, np.array([EXPECTED[m] / counts[m] for m in mass]), 0.5)
        yield Batch(self.schema, np.stack([x, y, mass], 1), truth=truth, weight=weight)


def significances(fitted: Fitted, mass: float) -> float:
    """The largest Asimov significance of a region at one mass, with at least 40 simulated events of background."""
    batch = next(iter(Masses(5, 20_000)))
    at = np.array(batch.values)
    at[:, 2] = mass
    p = fitted.scorer.score(replace(batch, values=at))[:, fitted.scorer.outputs.index("signal")]
    own = (np.asarray(batch.truth) != 0) | (batch.values[:, 2] == mass)
    order = np.flatnonzero(own)[np.argsort(-p[own])]
    signal, heavy = np.asarray(batch.truth)[order] == 0, batch.weight[order]
    s, b = np.cumsum(heavy * signal), np.cumsum(heavy * ~signal)
    known = np.cumsum(~signal) >= 40
    return float(asimov_significance(s[known], b[known], 0.3 * b[known]).max())


def test_mass_points_are_searched_one_by_one_and_backgrounds_stay_apart() -> None:
    options = {"parameters": "mass", "width": 16, "training": {"epochs": 12, "batch_size": 1024}}
    plain = fit(Masses(1), FitSettings("search_classifier", options))
    asimov = fit(Masses(1), FitSettings("search_classifier", {**options, "loss": "asimov", "systematic": 0.3}))
    # Cross-entropy follows the point of the largest cross section; the loss gains at each as much as it can.
    gains = [significances(asimov, mass) / significances(plain, mass) for mass in EXPECTED]
    assert np.prod(gains) ** (1 / len(gains)) > 1.5, gains
    batch = next(iter(Masses(5, 4_000)))
    low, flat = (np.asarray(batch.truth) == k for k in (2, 1))
    apart = [
        np.mean(p[low][:, None] > p[flat][None])
        for p in (one.scorer.score(batch)[:, one.scorer.outputs.index("low")] for one in (plain, asimov))
    ]
    assert apart[1] > apart[0] - 0.1


def test_what_held_out_events_do_not_show_to_be_better_is_not_kept() -> None:
    rng = np.random.default_rng(0)
    is_signal = np.arange(3000) % 2 == 0
    told = rng.normal(size=3000) + 2.5 * is_signal
    x = torch.from_numpy(np.stack([told, rng.normal(size=3000)], axis=1).astype(np.float32))
    events = HeldOut(x, is_signal, np.where(is_signal, 30.0, 20_000.0) / 1500)

    def network(*weights: float) -> Dense:
        found = Dense((2, 2), "tanh")
        with torch.no_grad():
            found.layers[0].weight.copy_(torch.tensor([[0.0, 0.0], weights]))
        return found

    good, blurred = network(1.0, 0.0), network(1.0, 1.0)
    wanted = Wanted(1, 30.0, 20_000.0, 0.3, 5.0, None)
    found = choose(blurred, good, events, wanted)
    assert found.kept
    assert found.ratio > 1 + found.spread
    assert not choose(good, blurred, events, wanted).kept
    alike = choose(good, network(2.0, 0.0), events, wanted)  # cuts are the same for an output that rises with another
    assert not alike.kept
    assert alike.ratio == pytest.approx(1.0, abs=1e-6)
