"""The padded form of each network gives the logits of the packed one, however much padding there is."""

from __future__ import annotations

import pytest
import torch
from tests.networks.taggers.clouds import groups_for, small_networks
from torch import nn

from lynkeus.core import SettingsError
from lynkeus.networks.taggers.padded import Padded, padded
from lynkeus.networks.taggers.padded.wrap import names_of, tensors_of


@pytest.mark.parametrize("name", ["net", "transformer", "csv", "jet", "ak8", "tau", "deep_tau"])
def test_padding_changes_no_logit(name: str, trained) -> None:
    network, groups = trained(small_networks()[name], larger=1.5), groups_for(name)
    module = padded(network)
    assert isinstance(module, Padded)
    with torch.no_grad():
        expected = network(groups)
        assert expected.std(dim=0).min() > 0.01
        for places in (1, 33):
            found = module(*tensors_of(module, groups, places))
            torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-5)


def test_the_tensors_have_names() -> None:
    networks = small_networks()
    assert names_of(padded(networks["net"])) == ("points", "features", "mask")
    assert names_of(padded(networks["csv"])) == ("global", "charged", "vertices", "charged_mask", "vertices_mask")


def test_other_networks_have_no_padded_form() -> None:
    with pytest.raises(SettingsError, match="Linear has no form with padded tensors"):
        padded(nn.Linear(2, 2))
