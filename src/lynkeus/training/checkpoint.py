"""Checkpoints: everything a training needs to go on bit for bit, as safetensors and JSON, written as a whole.

Two generations are kept: killed while writing, or cut short by a full disk, the one before is used, and that is said.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor, nn
from torch.optim import Optimizer

from lynkeus.core import ModelError
from lynkeus.files.whole import beside, disk_errors

FILE, BEFORE = "checkpoint", "checkpoint.before"


@dataclass(frozen=True)
class Checkpoint:
    """`tensors` by name, `facts` as JSON types, `note`: what is to be said of how it was read."""

    tensors: dict[str, Tensor]
    facts: dict[str, Any]
    note: str = ""


def write_checkpoint(folder: Path, tensors: dict[str, Tensor], facts: dict[str, Any]) -> None:
    """One file: the length of a JSON header, the header with a checksum, the tensors. Atomic."""
    body = save({name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()})
    header = json.dumps({"facts": facts, "sha256": hashlib.sha256(body).hexdigest()}).encode()
    told = disk_errors(folder, "the checkpoint cannot be written", "free space on the disk", ModelError)
    with told, beside(folder / FILE, sync_first=True, before=folder / BEFORE) as partial:
        partial.write_bytes(len(header).to_bytes(8, "little") + header + body)


def read_checkpoint(folder: Path) -> Checkpoint | None:
    """The newest one that is whole; None where there is none. Raises ModelError where all there are are damaged."""
    present = [folder / name for name in (FILE, BEFORE) if (folder / name).is_file()]
    for number, path in enumerate(present):
        found = _read(path)
        if found is not None:
            note = f"{present[0]} is cut short or damaged: going on from the checkpoint before it" if number else ""
            return Checkpoint(*found, note)
    if present:
        raise ModelError(f"{present[0]} is cut short or damaged, there is no other; remove {folder} to start afresh")
    return None


def _read(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]] | None:
    content = path.read_bytes()
    length = int.from_bytes(content[:8], "little")
    body = content[8 + length :]
    try:
        header = json.loads(content[8 : 8 + length])
        if header["sha256"] != hashlib.sha256(body).hexdigest():
            return None
        return load(body), header["facts"]
    except (ValueError, KeyError, SafetensorError):
        return None


def pack(networks: nn.ModuleDict, optimisers: dict[str, Optimizer], best: dict[str, Tensor]) -> dict[str, Tensor]:
    """Weights, the best weights so far, the optimisers' memories and the random number generators, by name."""
    found = {f"network/{name}": tensor for name, tensor in networks.state_dict().items()}
    found |= {f"best/{name}": tensor for name, tensor in best.items()}
    for name, optimiser in optimisers.items():
        for index, memory in optimiser.state_dict()["state"].items():
            found |= {f"optimiser/{name}/{index}/{key}": torch.as_tensor(value) for key, value in memory.items()}
    found["random/cpu"] = torch.get_rng_state()
    if torch.cuda.is_available():
        found["random/cuda"] = torch.cuda.get_rng_state()
    return {name: tensor.clone() for name, tensor in found.items()}  # safetensors keeps no shared memory


def unpack(tensors: dict[str, Tensor], networks: nn.ModuleDict, optimisers: dict[str, Optimizer]) -> dict[str, Tensor]:
    """Put everything back where `pack` took it; returns the best weights."""
    networks.load_state_dict(part(tensors, "network/"))
    for name, optimiser in optimisers.items():
        memories: dict[int, dict[str, Tensor]] = {}
        for path, tensor in part(tensors, f"optimiser/{name}/").items():
            index, key = path.split("/")
            memories.setdefault(int(index), {})[key] = tensor
        optimiser.load_state_dict({**optimiser.state_dict(), "state": memories})
    torch.set_rng_state(tensors["random/cpu"])
    if "random/cuda" in tensors and torch.cuda.is_available():
        torch.cuda.set_rng_state(tensors["random/cuda"])
    return part(tensors, "best/")


def part(tensors: dict[str, Tensor], start: str) -> dict[str, Tensor]:
    """Return those whose names begin with `start`, without it."""
    return {name.removeprefix(start): tensor for name, tensor in tensors.items() if name.startswith(start)}
