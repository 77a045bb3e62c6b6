"""Files of weights as weaver writes them (`torch.save` of a state_dict), read without running anything of them."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from lynkeus.core import ModelError


def read_weights(path: Path) -> dict[str, Tensor]:
    """Return the state_dict in a file, on the CPU.

    Raises ModelError for a file that is no dict of tensors by name, or that holds more than tensors (nothing of it is
    run).
    """
    if not path.is_file():
        raise ModelError(f"{path}: no such file; check the path")
    try:
        found = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError, KeyError, AttributeError, OSError) as error:
        says = (str(error).strip() or "it ends too soon").partition(". ")[0].splitlines()[0]
        what = f"{path} holds no weights that can be read safely ({says[:120].rstrip('. ')})"
        raise ModelError(f"{what}; give the *_state.pt that weaver writes") from error
    if not isinstance(found, Mapping) or not found:
        raise ModelError(f"{path} holds a {type(found).__name__}, not weights by name; give weaver's *_state.pt")
    for name, value in found.items():
        if not isinstance(name, str) or not isinstance(value, Tensor):
            raise ModelError(f"{path}: {name!r} is a {type(value).__name__}, no tensor; give weaver's *_state.pt")
    return dict(found)


def write_weights(path: Path, weights: Mapping[str, Tensor]) -> None:
    """Write a state_dict as weaver does, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.part")
    try:
        torch.save({name: tensor.detach().cpu().contiguous() for name, tensor in weights.items()}, unfinished)
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)
