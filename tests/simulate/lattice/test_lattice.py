"""The lattice field: flux conserved exactly, weights by an identity, the dual chain against the field, the onset."""

from __future__ import annotations

import numpy as np
import pytest

from lynkeus.core import SettingsError, concatenate
from lynkeus.simulate.lattice.source import LatticeSource, divergence, observables
from lynkeus.simulate.lattice.weights import log_site_weights

pytest.importorskip("numba")


def test_site_weights_satisfy_the_equation_of_motion() -> None:
    for mass, coupling in ((0.1, 1.0), (0.5, 0.3), (0.2, 0.0)):
        w = np.exp(log_site_weights(mass, coupling, 60))
        s = np.arange(57)
        # The integral of d/dr (r^(s + 2) exp(...)) is zero.
        left = (s + 2) * w[s]
        np.testing.assert_allclose(left, 2 * (4 + mass**2) * w[s + 2] + 4 * coupling * w[s + 4], rtol=1e-9)


def test_flux_is_conserved_at_every_site_and_observables_are_of_the_configuration() -> None:
    batch = concatenate(list(LatticeSource(mu="0.6,1.2", n=30, shape="12x5", seed=3)))
    assert batch.values.shape == (60, 4, 12, 5)
    assert not divergence(batch.values).any()
    assert (batch.values[:, 2:] >= 0).all()
    density, square = observables(batch.values)
    np.testing.assert_allclose(density, batch.meta["n"])
    np.testing.assert_allclose(square, batch.meta["phi2"])
    assert batch.meta["n"][30:].mean() > 1.0
    # Charge is a whole number: as much flux goes through every slice of time.
    through = batch.values[:, 1].sum(axis=2)
    assert (through == through[:, :1]).all()


@pytest.mark.slow
@pytest.mark.parametrize(("mu", "shape"), [(0.0, "8x8"), (1.0, "4x4")])
def test_the_dual_chain_is_the_field(mu: float, shape: str) -> None:
    from lynkeus.simulate.lattice.field import sample_field

    sites = tuple(int(part) for part in shape.split("x"))
    number = 20_000 if mu else 3000
    fields = [sample_field((sites[0], sites[1]), 0.1, 1.0, mu, number, 3, seed) for seed in range(6)]
    batch = concatenate(list(LatticeSource(mu=mu, n=8000, shape=shape, seed=1, every=4)))
    blocks = np.stack([batch.meta["n"], batch.meta["phi2"]]).reshape(2, 20, -1).mean(axis=2)
    ours, error = blocks.mean(axis=1), blocks.std(axis=1) / np.sqrt(19)
    theirs = np.array([[f.density(mu, sites[0] * sites[1]), f.mean_square()] for f in fields])
    spread = np.hypot(error, theirs.std(axis=0) / np.sqrt(5)) + 1e-4
    assert (np.abs(ours - theirs.mean(axis=0)) < 4.5 * spread).all()
    assert fields[0].sign > 0.3


@pytest.mark.slow
def test_nothing_happens_below_the_threshold_and_it_condenses_above() -> None:
    batch = concatenate(list(LatticeSource(mu="0.8,1.05", n=300, seed=2, every=4)))
    below, above = batch.meta["mu"] == 0.8, batch.meta["mu"] == 1.05
    assert batch.meta["n"][below].mean() == 0
    assert batch.meta["phi2"][below].mean() == pytest.approx(0.2585, abs=0.002)
    assert batch.meta["n"][above].mean() == pytest.approx(0.581, abs=0.04)
    assert batch.meta["phi2"][above].mean() == pytest.approx(0.447, abs=0.015)


def test_the_same_seed_gives_the_same_chain_whatever_else_is_asked() -> None:
    one = concatenate(list(LatticeSource(mu="1.05", n=20, shape="10x4", seed=4)))
    two = concatenate(list(LatticeSource(mu="1.05,0.9", n=12, shape="10x4", seed=4)))
    np.testing.assert_array_equal(one.values[:12], two.values[:12])
    assert len(LatticeSource(mu="0.9,1.0", n=3).of_length(7)) == 8


@pytest.mark.parametrize(
    ("settings", "says"),
    [({"shape": "200x2"}, "same site"), ({"shape": "200"}, "in time x"), ({"mu": "high"}, "mu like"),
     ({"mu": 5.0}, "from 0 to 2"), ({"n": 0}, "at least 1"), ({"coupling": -1.0}, "coupling > 0")],
)  # fmt: skip
def test_bad_settings_are_refused(settings: dict[str, object], says: str) -> None:
    with pytest.raises(SettingsError, match=says):
        LatticeSource(**settings)  # type: ignore[arg-type]
