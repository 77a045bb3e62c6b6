"""export_tagger: a network of jets as one ONNX file of padded tensors, checked against the network itself.

The number of jets and of particles is free. The file is not written where its scores differ.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from lynkeus.core import Floats, ModelError
from lynkeus.networks.taggers.padded import padded
from lynkeus.networks.taggers.padded.wrap import names_of, tensors_of
from lynkeus.networks.taggers.ragged import Groups
from lynkeus.scorers.onnx.export import TOLERANCE, traced
from lynkeus.scorers.onnx.onnx_scorer import ABOUT, open_onnx

PROBABILITIES = "probabilities"  # (n, classes) float32
PLACES = 4  # at least so many particles in the example that is traced


class Calibrated(nn.Module):
    """A padded module whose logits become probabilities: softmax(slope logits + bias)."""

    bias: Tensor

    def __init__(self, module: nn.Module, slope: float, bias: Floats) -> None:
        super().__init__()
        self.module, self.slope = module, slope
        self.register_buffer("bias", torch.from_numpy(np.asarray(bias, np.float32)))

    def forward(self, *tensors: Tensor) -> Tensor:
        """Return probabilities (n, classes)."""
        return torch.softmax(self.slope * self.module(*tensors) + self.bias, dim=1)


def export_tagger(
    network: nn.Module, path: Path, groups: Groups, about: Mapping[str, Any], slope: float, bias: Floats
) -> float:
    """Write `path`: a network and softmax(slope logits + bias (classes,)); the largest difference of probabilities of
    the jets `groups`.

    `about` (JSON) is kept in the file. Inputs are those of `names_of(padded(network))`: values (n, p, features) and
    masks (n, p), True at particles. Raises SettingsError for a network without a padded form or without the packages
    that are needed, ModelError where the file gives other probabilities.
    """
    module: Any = padded(network)
    names = names_of(module)
    with torch.no_grad():
        logits = network.eval()(groups).double()
    expected = torch.softmax(slope * logits + torch.from_numpy(np.asarray(bias, float)), dim=1).numpy()
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        written = Path(folder) / path.name
        example = dict(zip(names, _example(module, groups), strict=True))
        program = traced(Calibrated(module, slope, bias), example, [PROBABILITIES], (_free(module),))
        program.model.metadata_props[ABOUT] = json.dumps({**about, "inputs": list(names)})
        program.save(written)
        largest = float(np.abs(run_tagger(written, groups, module) - expected).max(initial=0.0))
        if not largest <= TOLERANCE:
            raise ModelError(f"{path} is not written: its scores differ by {largest:.1g} from those of the model")
        written.replace(path)
    return largest


def run_tagger(path: Path, groups: Groups, module: Any) -> Floats:
    """Return probabilities (n, classes) of packed jets by onnxruntime, from a file of `export_tagger`."""
    names = names_of(module)
    session, _ = open_onnx(path, names)
    tensors = {name: tensor.numpy() for name, tensor in zip(names, tensors_of(module, groups), strict=True)}
    found: Floats = session.run([PROBABILITIES], tensors)[0].astype(np.float64)
    return found


def _example(module: Any, groups: Groups) -> list[Tensor]:
    """Some jets as they are traced: at least two, so that their number stays free."""
    tensors = tensors_of(module, groups, PLACES)
    return [torch.cat([one, one])[: max(2, len(one))] for one in tensors]


def _free(module: Any) -> tuple[Any, ...]:
    """Which axes are free: jets, and the particles of each group (of all, where they share a mask)."""
    jets, places = torch.export.Dim("jets"), torch.export.Dim("particles", min=1)
    free: list[dict[int, Any]] = []
    own = {name: places if module.shared_mask else torch.export.Dim(name, min=1) for name in module.groups}
    for name in module.groups:
        free.append({0: jets} if name == "global" else {0: jets, 1: own[name]})
    masked = module.groups[:1] if module.shared_mask else [name for name in module.groups if name != "global"]
    free += [{0: jets, 1: own[name]} for name in masked]
    return tuple(free)


def drawn_jets(module: Any, features: Mapping[str, int], jets: int = 8) -> dict[str, tuple[Tensor, Tensor]]:
    """Return random jets for a padded module, of `features` of each group: two ways of scoring must agree on all."""
    draw = torch.Generator().manual_seed(0)
    found = {}
    lengths = torch.randint(1, 30, (jets,), generator=draw)
    for name in module.groups:
        many = torch.ones_like(lengths) if name == "global" else lengths
        offsets = torch.cat([many.new_zeros(1), many.cumsum(0)])
        values = torch.randn(int(offsets[-1]), features[name], generator=draw)
        if name == "vectors":  # a particle is lighter than its energy
            values[:, 3] = values[:, :3].square().sum(dim=1).add(0.01).sqrt()
        found[name] = (values, offsets)
    return found
