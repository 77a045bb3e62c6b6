"""Jets of random particles, packed and padded, and networks of weaver with weights like trained ones."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from tests.networks.taggers.clouds import Jets, make_jets
from torch import nn


@pytest.fixture(scope="session")
def jets() -> Callable[..., Jets]:
    return make_jets


@pytest.fixture(scope="session")
def trained() -> Callable[..., nn.Module]:
    """Weights and statistics as far from their beginnings as those of a training, so that logits differ by about 1."""

    def change(network: nn.Module, larger: float = 3.0) -> nn.Module:
        torch.manual_seed(3)
        for module in network.modules():
            if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
                nn.init.normal_(module.running_mean, std=0.2)
                nn.init.uniform_(module.running_var, 0.3, 2.0)
            if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d | nn.LayerNorm):
                nn.init.uniform_(module.weight, 0.7, 2.0)
                nn.init.normal_(module.bias, std=0.3)
            if isinstance(module, nn.Linear):
                module.weight.data *= larger
        return network.eval()

    return change
