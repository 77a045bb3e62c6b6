"""The same networks on padded tensors, for formats that know no packed clouds (ONNX): the same weights and logits."""

from lynkeus.networks.taggers.padded.wrap import Padded, padded

__all__ = ["Padded", "padded"]
