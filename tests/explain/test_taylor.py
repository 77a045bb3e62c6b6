"""Taylor coefficients: a polynomial gives back its own, finite differences and torch.func agree, ReLU is refused."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from lynkeus.core import SettingsError
from lynkeus.explain.taylor import dense
from lynkeus.explain.taylor.coefficients import _by_transforms, coefficients
from lynkeus.explain.taylor.relevance import Relevance, products

D = 5


def network(activation: type[nn.Module], softmax: bool, seed: int = 0, first: bool = False) -> nn.Sequential:
    torch.manual_seed(seed)
    parts = [activation()] if first else []
    parts += [nn.Linear(D, 16), activation(), nn.Linear(16, 8), activation(), nn.Linear(8, 3)]
    return nn.Sequential(*parts, *([nn.Softmax(dim=1)] if softmax else [])).double()


@pytest.mark.parametrize("first", [False, True])
@pytest.mark.parametrize("softmax", [False, True])
@pytest.mark.parametrize("activation", [nn.Tanh, nn.SiLU, nn.Softplus, nn.Sigmoid, nn.GELU])
def test_dense_networks_by_hand_are_those_by_automatic_derivation(
    activation: type[nn.Module], softmax: bool, first: bool
) -> None:
    module = network(activation, softmax, first=first)
    x = torch.randn(40, D, dtype=torch.float64)
    ours, theirs = coefficients(module, x, 2), _by_transforms(module, x, 2)
    assert ours.second is not None
    assert theirs.second is not None
    torch.testing.assert_close(ours.first, theirs.first, rtol=1e-9, atol=1e-12)
    torch.testing.assert_close(ours.second, theirs.second, rtol=1e-9, atol=1e-12)


def test_they_are_finite_differences_of_the_scores() -> None:
    module = network(nn.Tanh, True)
    x, step = torch.randn(8, D, dtype=torch.float64), 1e-4
    found = coefficients(module, x, 2)
    assert found.second is not None

    def at(*shifts: tuple[int, float]) -> Tensor:
        moved = x.clone()
        for i, size in shifts:
            moved[:, i] += size
        return module(moved).detach()

    for i in range(D):
        slope = (at((i, step)) - at((i, -step))) / (2 * step)
        torch.testing.assert_close(found.first[:, :, i], slope, rtol=1e-5, atol=1e-8)
    for number, (i, j) in enumerate(products(D, 2)):
        both = (
            at((i, step), (j, step))
            - at((i, step), (j, -step))
            - at((i, -step), (j, step))
            + at((i, -step), (j, -step))
        )
        expected = both / (4 * step**2) * (0.5 if i == j else 1.0)
        torch.testing.assert_close(found.second[:, :, number], expected, rtol=1e-3, atol=1e-6)


class Polynomial(nn.Module):
    """3 x0 - 2 x1^2 + x0 x2 + 5 x0 x1 x2 + x2^3."""

    def forward(self, x: Tensor) -> Tensor:
        a, b, c = x[:, 0], x[:, 1], x[:, 2]
        return (3 * a - 2 * b**2 + a * c + 5 * a * b * c + c**3)[:, None]


def test_a_polynomial_gives_back_its_own_coefficients() -> None:
    found = coefficients(Polynomial(), torch.zeros(2, 3, dtype=torch.float64), 3)
    assert found.second is not None
    assert found.third is not None
    assert found.first[0, 0].tolist() == [3, 0, 0]
    second = dict(zip(products(3, 2), found.second[0, 0].tolist(), strict=True))
    assert {pair: value for pair, value in second.items() if value} == {(1, 1): -2, (0, 2): 1}
    third = dict(zip(products(3, 3), found.third[0, 0].tolist(), strict=True))
    assert {own: value for own, value in third.items() if value} == {(0, 1, 2): 5, (2, 2, 2): 1}
    assert found.all.shape == (2, 1, 3 + 6 + 10)


def test_parts_are_as_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    module, x = network(nn.Tanh, True), torch.randn(30, D, dtype=torch.float64)
    whole = coefficients(module, x, 2).all
    monkeypatch.setattr(dense, "CACHE_BYTES", 500)
    torch.testing.assert_close(coefficients(module, x, 2).all, whole, rtol=1e-12, atol=1e-14)


def test_piecewise_linear_networks_are_refused_with_the_remedy() -> None:
    module, x = network(nn.ReLU, False), torch.randn(4, D, dtype=torch.float64)
    with pytest.raises(SettingsError, match=r"ReLU.*piecewise linear.*tanh"):
        coefficients(module, x, 2)
    assert coefficients(module, x, 1).first.shape == (4, 3, D)
    with pytest.raises(SettingsError, match="order must be"):
        coefficients(module, x, 4)


def test_relevance_is_the_mean_over_events_whatever_the_parts() -> None:
    rng = np.random.default_rng(1)
    values, process = rng.normal(0.2, 1.0, (2000, 2, 5)), rng.integers(-1, 2, 2000)
    weight = rng.uniform(0.5, 2, 2000)
    whole = Relevance(("a", "b"), ("s", "t"), ("tt", "wj"), 2)
    for part in np.array_split(np.arange(2000), 7):
        whole.add(values[part], process[part], weight[part])
    rows = whole.rows(np.array([2.0, 3.0]))
    assert len(rows) == 3 * 2 * 5
    found = {(r["output"], r["process"], r["input"], r["second_input"]): r for r in rows}
    own = found["t", "wj", "a", "b"]
    chosen = process == 1
    assert own["mean"] == pytest.approx(np.average(values[chosen, 1, 3], weights=weight[chosen]))
    assert own["mean_abs"] == pytest.approx(np.average(np.abs(values[chosen, 1, 3]), weights=weight[chosen]))
    assert own["relevance"] == pytest.approx(6 * own["mean_abs"])
    low, high = own["interval"]
    expected = np.abs(values[chosen, 1, 3]).std() / np.sqrt(chosen.sum())
    assert 1.4 * expected < high - low < 3.2 * expected
    assert low < own["mean_abs"] < high
    assert own["events"] == chosen.sum()
    assert found["s", "all", "a", ""]["events"] == 2000
