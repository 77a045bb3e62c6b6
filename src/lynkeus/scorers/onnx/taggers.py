"""export_tagger: a network of jets as one ONNX file of padded tensors, checked against the network itself.

The number of jets and of particles is free. The file is not written where its logits differ.
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

LOGITS = "logits"  # (n, classes) float32
PLACES = 4  # at least so many particles in the example that is traced


def export_tagger(network: nn.Module, path: Path, groups: Groups, about: Mapping[str, Any]) -> float:
    """Write `path`; the largest difference of logits of the jets `groups`, relative to their size or spread.

    `about` (JSON) is kept in the file. Inputs are those of `names_of(padded(network))`: values (n, p, features) and
    masks (n, p), True at particles. Raises SettingsError for a network without a padded form or without the packages
    that are needed, ModelError where the file gives other logits.
    """
    module: Any = padded(network)
    names = names_of(module)
    with torch.no_grad():
        expected = network.eval()(groups).double().numpy()
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        written = Path(folder) / path.name
        program = traced(module, dict(zip(names, _example(module, groups), strict=True)), [LOGITS], _free(module))
        program.model.metadata_props[ABOUT] = json.dumps({**about, "inputs": list(names)})
        program.save(written)
        found = run_tagger(written, groups, module)
        off = np.abs(found - expected) / np.maximum(np.maximum(np.abs(expected), np.ptp(expected, axis=0)), 1e-12)
        largest = float(off.max(initial=0.0))
        if not largest <= TOLERANCE:
            raise ModelError(f"{path} is not written: its logits differ by {largest:.1g} from those of the model")
        written.replace(path)
    return largest


def run_tagger(path: Path, groups: Groups, module: Any) -> Floats:
    """Return logits (n, classes) of packed jets by onnxruntime, from a file of `export_tagger` for that module."""
    names = names_of(module)
    session, _ = open_onnx(path, names)
    tensors = {name: tensor.numpy() for name, tensor in zip(names, tensors_of(module, groups), strict=True)}
    found: Floats = session.run([LOGITS], tensors)[0].astype(np.float64)
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
    return (tuple(free),) if _takes_any(module) else tuple(free)


def _takes_any(module: Any) -> bool:
    """Whether forward is written as *tensors: their axes are then those of one argument."""
    return not module.shared_mask
