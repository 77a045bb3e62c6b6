"""OnnxScorer: scores by onnxruntime, from a file of `export_onnx`, where there is no PyTorch."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Self

import numpy as np

from lynkeus.core import Batch, ModelError, Schema, Scores, SettingsError

VALUES, SCORES = "values", "scores"  # raw values (n, *shape) float32, scores (n, outputs) float32
ABOUT = "lynkeus"  # metadata of the file: JSON with schema and outputs
CHUNK_NUMBERS = 4_000_000  # numbers of samples that are scored at a time


class OnnxScorer:
    """A fitted scorer that cannot be fitted again: `outputs` and `score` as of the one that was exported."""

    def __init__(self, schema: Schema, outputs: tuple[str, ...], session: Any) -> None:
        self.schema_, self.outputs, self.session = schema, outputs, session

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read a file. Raises ModelError where it is no file of `export_onnx`, SettingsError without onnxruntime."""
        session, about = open_onnx(path, (VALUES,))
        return cls(Schema.from_dict(about["schema"]), tuple(about["outputs"]), session)

    def score(self, batch: Batch) -> Scores:
        """Return (n, outputs); NaN for a sample that misses more than half of its values. Raises SchemaError for
        others."""
        self.schema_.require(batch.schema, "the exported model")
        size = max(1, CHUNK_NUMBERS // max(1, int(np.prod(batch.values.shape[1:]))))
        parts = [np.empty((0, len(self.outputs)))]
        for first in range(0, len(batch), size):
            values = np.ascontiguousarray(batch.values[first : first + size], dtype=np.float32)
            parts.append(self.session.run([SCORES], {VALUES: values})[0].astype(np.float64))
        return np.concatenate(parts)


def open_onnx(path: Path, inputs: tuple[str, ...]) -> tuple[Any, dict[str, Any]]:
    """A session of onnxruntime and what the file says of itself.

    Raises ModelError where it is no file of lynkeus with these inputs, SettingsError without onnxruntime.
    """
    try:
        import onnxruntime
    except ImportError as error:
        raise SettingsError("scoring an ONNX file needs onnxruntime: pip install onnxruntime") from error
    if not path.is_file():
        raise ModelError(f"{path}: no such file; check the path")
    try:
        options = onnxruntime.SessionOptions()
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # other processes have work, too
        session = onnxruntime.InferenceSession(path, options, providers=onnxruntime.get_available_providers())
        about = json.loads(session.get_modelmeta().custom_metadata_map[ABOUT])
    except Exception as error:  # onnxruntime has one of its own for every way in which a file is damaged
        raise ModelError(f"{path} is no ONNX file of lynkeus ({str(error)[:200]}); export the model again") from error
    found = tuple(one.name for one in session.get_inputs())
    if found != inputs:
        raise ModelError(
            f"{path} reads {', '.join(found)}, not {', '.join(inputs)}: it was exported from another kind of model"
        )
    return session, about
