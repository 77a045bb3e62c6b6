"""export_onnx: a fitted network as one ONNX file, from raw values to the score, checked against the scorer itself.

Of other tools the exported score is known to differ from that of the model, as each has its own code before and after
the network. Here standardisation and the score are part of the graph, and a file that does not agree is not written.
"""

from __future__ import annotations

import json
import logging
import tempfile
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor, nn

from lynkeus.core import Batch, ModelError, Schema, Scores, SettingsError
from lynkeus.scorers.onnx.onnx_scorer import ABOUT, SCORES, VALUES, OnnxScorer

TOLERANCE = 1e-4  # of a score, relative to its size or to how much scores differ, whichever is larger
SAMPLES = 16  # that are drawn where none are given


@runtime_checkable
class Exportable(Protocol):
    """A Scorer that is a network: `as_module()` takes raw values (n, *shape) float32 to scores (n, outputs)."""

    schema_: Schema

    @property
    def outputs(self) -> tuple[str, ...]: ...

    def score(self, batch: Batch) -> Scores: ...

    def as_module(self) -> nn.Module: ...


def export_onnx(scorer: Any, path: Path, samples: Batch | None = None, more: Mapping[str, Any] | None = None) -> float:
    """Write `path`, for `OnnxScorer`; the largest difference of scores of `samples` (None: drawn), as TOLERANCE has it.

    `more`: what the file says of itself besides.

    The number of samples is free, all else is fixed. Raises SettingsError for a scorer without a network or without
    the packages that are needed, ModelError where the file scores differently.
    """
    if not isinstance(scorer, Exportable):
        raise SettingsError(f"the scorer {type(scorer).__name__} is no network and cannot be exported to ONNX")
    samples = samples or _drawn(scorer.schema_)
    about = {"schema": scorer.schema_.to_dict(), "outputs": list(scorer.outputs), **(more or {})}
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        written = Path(folder) / path.name
        values = np.resize(samples.values, (2, *samples.values.shape[1:])).astype(np.float32)
        free = ({0: torch.export.Dim("samples")},)
        program = traced(scorer.as_module(), {VALUES: torch.from_numpy(values)}, [SCORES], free)
        program.model.metadata_props[ABOUT] = json.dumps(about)
        program.save(written)
        off = difference(scorer, OnnxScorer.load(written), samples)
        if not off <= TOLERANCE:
            raise ModelError(f"{path} is not written: its scores differ by {off:.1g} from those of the model")
        written.replace(path)
    return off


def difference(one: Any, other: OnnxScorer, batch: Batch) -> float:
    """Largest difference of two scores of a batch, relative to the larger of a score and how much scores differ.

    Infinite where only one of them has a score.
    """
    first, second = one.score(batch), other.score(batch)
    missing = np.isnan(first)
    if (missing != np.isnan(second)).any():
        return float("inf")
    spread = np.nanmax(first, axis=0) - np.nanmin(first, axis=0)
    off = np.abs(first - second) / np.maximum(np.maximum(np.abs(first), spread), 1e-12)
    return float(off[~missing].max(initial=0.0))


def traced(module: nn.Module, inputs: Mapping[str, Tensor], outputs: Sequence[str], free: tuple[Any, ...]) -> Any:
    """A module as a program of ONNX; `free`: for each input the axes whose length is free.

    Raises SettingsError without the packages that are needed.
    """
    log = logging.getLogger("torch.onnx")
    level = log.level
    log.setLevel(logging.ERROR)  # it tells of torchvision, which is not needed
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of torch about itself
            return torch.onnx.export(
                module.eval(),
                tuple(inputs.values()),
                input_names=list(inputs),
                output_names=list(outputs),
                dynamic_shapes=free,
                dynamo=True,
                verbose=False,
            )
    except ImportError as error:
        raise SettingsError(f"export to ONNX needs a package: {error}; pip install 'lynkeus[export]'") from error
    finally:
        log.setLevel(level)


def _drawn(schema: Schema) -> Batch:
    """Any numbers: two ways of scoring must agree on all of them."""
    if None in schema.shape:
        raise SettingsError(f"samples of open shape {schema.shape}: give some of the shape that is to be exported")
    values = np.random.default_rng(0).normal(size=(SAMPLES, *(length or 1 for length in schema.shape)))
    return Batch(schema, (values if schema.kind != "image" else 128 + 64 * values).astype(np.float32))
