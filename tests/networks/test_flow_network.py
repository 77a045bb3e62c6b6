"""CouplingFlow against autograd, closed forms, and the law of every density: it integrates to one."""

from math import pi

import numpy as np
import pytest
import torch
from scipy.stats import multivariate_normal
from torch import Tensor

from lynkeus.networks.flow import NOISE_SIGMA, CouplingFlow


def log_density(flow: CouplingFlow, x: Tensor) -> Tensor:
    z, log_volume = flow(x)
    return log_volume - 0.5 * (z**2 + np.log(2 * pi)).sum(dim=1)


def bent(shape: tuple[int, ...], mixed: int) -> CouplingFlow:
    """A flow that is no Gaussian: random weights where training begins with zeros."""
    torch.manual_seed(1)
    flow = CouplingFlow(shape, mixed, couplings=4, width=16)
    flow.set_axes(torch.randn(200, *shape) * torch.linspace(0.5, 2.0, shape[-1]))
    for coupling in flow.couplings:
        torch.nn.init.normal_(coupling.layers[-1].weight, std=0.2)
    return flow


@pytest.mark.parametrize(("shape", "mixed"), [((5,), 64), ((5,), 3), ((1,), 64), ((2, 4), 5)])
def test_the_volume_is_the_determinant_of_the_jacobian(shape: tuple[int, ...], mixed: int) -> None:
    flow = bent(shape, mixed)
    x = torch.randn(6, *shape)
    for row, log_volume in zip(x, flow(x)[1], strict=True):
        jacobian = torch.autograd.functional.jacobian(lambda flat: flow(flat.reshape(1, *shape))[0][0], row.flatten())
        assert torch.linalg.slogdet(jacobian)[1].item() == pytest.approx(log_volume.item(), abs=1e-4)


def test_the_density_of_two_numbers_integrates_to_one() -> None:
    axis = torch.linspace(-12, 12, 801)
    grid = torch.cartesian_prod(axis, axis)
    with torch.no_grad():
        density = log_density(bent((2,), 2), grid).double().exp()
    cell = float(axis[1] - axis[0]) ** 2
    assert float(density.sum()) * cell == pytest.approx(1.0, abs=0.005)
    assert float(density.max()) > 0.05


def test_before_training_it_is_the_gaussian_of_the_samples() -> None:
    rng = np.random.default_rng(2)
    x = (rng.normal(size=(3000, 4)) @ rng.normal(size=(4, 4)) + 1.0).astype(np.float32)
    flow = CouplingFlow((4,), 64, couplings=3, width=8)
    flow.set_axes(torch.from_numpy(x))
    expected = multivariate_normal(x.mean(axis=0), np.cov(x.T, ddof=0) + NOISE_SIGMA**2 * np.eye(4)).logpdf(x[:50])
    with torch.no_grad():
        np.testing.assert_allclose(log_density(flow, torch.from_numpy(x[:50])), expected, rtol=1e-4, atol=1e-3)


def test_what_is_not_mixed_counts_as_one_variance() -> None:
    flow = CouplingFlow((6,), 2, couplings=1, width=8)
    x = torch.randn(5000, 6, generator=torch.Generator().manual_seed(3)) * torch.tensor([5.0, 4.0, 1.0, 1.0, 0.5, 0.5])
    flow.set_axes(x)
    assert torch.equal(flow.sigma[2:], flow.sigma[2].expand(4))
    assert flow.sigma[2].item() == pytest.approx(np.sqrt((1 + 1 + 0.25 + 0.25) / 4), rel=0.05)


def test_far_from_everything_it_stays_finite() -> None:
    with torch.no_grad():
        far = log_density(bent((5,), 5), torch.full((1, 5), 1e4))
    assert torch.isfinite(far).all()
    assert far.item() < -1e3
