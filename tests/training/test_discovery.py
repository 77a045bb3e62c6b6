"""The discovery losses: the significance of the metrics, gradients that are right and finite, more for a better cut."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from lynkeus.core import SettingsError
from lynkeus.metrics.significance import asimov_significance
from lynkeus.training.discovery import Discovery, squared_significance


def events(n: int = 4000) -> tuple[torch.Tensor, torch.Tensor]:
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 2, n)
    return torch.from_numpy(rng.beta(np.where(truth, 3, 1), np.where(truth, 1, 3))), torch.from_numpy(truth)


@pytest.mark.parametrize("systematic", [0.0, 0.1, 0.5])
def test_it_is_the_significance_of_the_metrics(systematic: float) -> None:
    p, y = events()
    loss = Discovery(31.2, 20762.0, systematic)
    s, b = 31.2 * p[y == 1].mean(), 20762.0 * p[y == 0].mean()
    expected = float(asimov_significance(float(s), float(b), systematic * float(b)))
    assert float(loss.significance(p, y)) == pytest.approx(expected, rel=1e-5)
    assert float(loss(p, y)) == pytest.approx(-expected, rel=1e-5)
    simple = float(s / (s + b) ** 0.5)
    assert float(Discovery(31.2, 20762.0, form="simple")(p, y)) == pytest.approx(-simple, rel=1e-6)


def test_bins_hold_all_events_and_are_worth_more_than_one_region() -> None:
    p, y = events()
    one, ten = Discovery(30, 1000, 0.2), Discovery(30, 1000, 0.2, bins=10)
    s, b = ten.counts(p, y)
    assert float(s.sum()) == pytest.approx(30)
    assert float(b.sum()) == pytest.approx(1000)
    assert float(ten.significance(p, y)) > float(one.significance(p, y))
    weight = torch.full_like(p, 3.0)
    assert float(ten.significance(p, y, weight)) == pytest.approx(float(ten.significance(p, y)))


@pytest.mark.parametrize("bins", [1, 5])
@pytest.mark.parametrize("form", ["significance", "inverse", "simple"])
def test_gradients_are_right(form: str, bins: int) -> None:
    p, y = events(12)
    loss = Discovery(30, 300, 0.3, form, bins)
    logit = torch.logit(p).clone().requires_grad_()
    assert torch.autograd.gradcheck(lambda x: loss(torch.sigmoid(x), y), (logit,), eps=1e-6, atol=1e-4, rtol=1e-2)


def test_gradients_are_finite_where_nothing_is_selected() -> None:
    p = torch.zeros(8, dtype=torch.float64, requires_grad=True)
    y = torch.tensor([0, 0, 0, 0, 1, 1, 1, 1])
    Discovery(30, 300, 0.3)(p, y).backward()
    assert p.grad is not None
    assert torch.isfinite(p.grad).all()
    zero = torch.zeros(1, dtype=torch.float64)
    assert float(squared_significance(zero, zero, zero)) == 0


def test_settings_out_of_range_are_refused() -> None:
    for more in ({"systematic": -1.0}, {"form": "best"}, {"bins": 0}):
        with pytest.raises(SettingsError):
            Discovery(1.0, 1.0, **more)  # type: ignore[arg-type]
    with pytest.raises(SettingsError, match="must be positive"):
        Discovery(0.0, 1.0)
