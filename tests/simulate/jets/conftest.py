"""Jets that many tests look at, made once."""

from __future__ import annotations

import pytest

from lynkeus.core import Batch, concatenate
from lynkeus.simulate.jets.source import JetSource


@pytest.fixture(scope="session")
def large_jets() -> Batch:
    """Jets of R = 0.8 of tops, W, H -> bb, Z and QCD, 500 in all."""
    return concatenate(list(JetSource("top,qcd,w,higgs,z", "550-650", n=500, seed=3)))


@pytest.fixture(scope="session")
def small_jets() -> Batch:
    """Jets of R = 0.4 by flavour, and leptons, 1000 in all."""
    return concatenate(list(JetSource("b,c,light,gluon,tau,electron,muon", "60-120", n=1000, seed=3)))
