"""f-AnoGAN trained on one digit: do the scores of the others separate with the epochs, and what is it worth?"""

from __future__ import annotations

import json
import os
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA

from lynkeus.core import Array, Batch, Case, Check, Comparison, Floats, Part, Schema
from lynkeus.sources import InMemory
from lynkeus.studies.anomaly_taxonomy.baselines import grey_level
from lynkeus.studies.mnist_anogan.figures import look

DIGIT = 8  # the hardest one
EPOCHS = (1, 4, 16)  # of generator and critic, after each of which an encoder is trained
SMALL_EPOCHS = (2, 40)  # of 116 images
COMPONENTS = 16  # as many numbers as there are in a code
GAME = {"batch_size": 96, "learning_rate": 5e-4}
SMALL_GAME, SMALL_ENCODING = {**GAME, "batch_size": 24}, {"epochs": 30, "batch_size": 16, "learning_rate": 1e-3}
# Each image at mean 0 and spread 1: in grey levels as they are an image with little ink, a 1, has little to be wrong.
SHARED: dict[str, Any] = {"network": "dcgan", "latent": 16, "width": 16, "windows": "z"}
ENCODING = {"epochs": 15, "batch_size": 64, "learning_rate": 1e-3}
AUTOENCODERS: dict[str, Any] = {"latent": 16, "windows": "z", "training": {"epochs": 20}}


def mnist_anogan(smoke: bool = False) -> Comparison:
    """Do the scores of f-AnoGAN separate with the epochs, and how do GAN, VAE and AE reconstruct?"""
    path = Path(os.environ.get("LYNKEUS_DATA", "")) / "mnist" / "mnist.npz"
    mnist = not smoke and bool(os.environ.get("LYNKEUS_DATA")) and path.is_file()
    case, data = _mnist(path) if mnist else _small_digits()
    part = Part(
        {str(DIGIT): case},
        _scorers(EPOCHS, GAME, ENCODING) if mnist else _scorers(SMALL_EPOCHS, SMALL_GAME, SMALL_ENCODING),
        ("normal", *(str(digit) for digit in range(10))),
        {
            "mean grey level": grey_level,
            "what 16 components leave, raw": components_leave,
            "what 16 components leave": lambda good, test: components_leave(by_themselves(good), by_themselves(test)),
        },
        look=look,
        data=data,
    )
    question = (
        "A generator and a critic learn one digit, an encoder finds the code of an image, and what is not made again "
        "is the score. Do the scores of other digits separate with the epochs? Yes, they do. Is it more than what is "
        "there without a network? Hardly: 16 principal components, or an autoencoder, come as far, and nearest "
        "neighbours further. Do generators look better and reconstruct worse than autoencoders? Yes: they are about "
        "twice as sharp, with more than twice the error. One training of each: another one may differ by more than the "
        "intervals say."
    )
    return Comparison("mnist_anogan", question, {"digits": part}, _checks("mnist" if mnist else "small_digits"))


def _scorers(epochs: tuple[int, ...], game: dict[str, Any], encoding: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """f-AnoGAN after each number of epochs; after the last one with the other two scores as well; VAE and AE."""
    found: dict[str, dict[str, Any]] = {}
    for number in epochs:
        name = f"adversarial izi_f, epoch {number}"
        found[name] = {**SHARED, "training": {**game, "epochs": number}, "encoder_training": encoding}
    for score_by in ("izi", "ziz"):
        found[f"adversarial {score_by}, epoch {epochs[-1]}"] = {**found[name], "score_by": score_by}
    found[f"adversarial raw, epoch {epochs[-1]}"] = {**found[name], "windows": "raw"}
    networks = {"variational_autoencoder": {**AUTOENCODERS, "score_by": "reconstruction"}}
    return found | networks | {"autoencoder": AUTOENCODERS, "nearest_neighbours": {}}


def by_themselves(images: Floats) -> Floats:
    """Return the images, each scaled to mean 0 and standard deviation 1."""
    from_mean = images - images.mean(axis=(1, 2, 3), keepdims=True)
    return np.asarray(from_mean / np.maximum(from_mean.std(axis=(1, 2, 3), keepdims=True), 1e-12))


def components_leave(good: Floats, test: Floats) -> Floats:
    """Root mean square of what the first 16 principal components of good images do not make."""
    flat = test.reshape(len(test), -1)
    found = PCA(COMPONENTS, random_state=0).fit(good.reshape(len(good), -1))
    left = flat - found.inverse_transform(found.transform(flat))
    return np.asarray(np.sqrt((left**2).mean(axis=1)))


def _mnist(path: Path) -> tuple[Case, str]:
    with np.load(path, allow_pickle=False) as file:
        train = file["x_train"][file["y_train"] == DIGIT]
        case = _case(train, (file["x_test"], file["y_test"]))
    return case, f"MNIST: {len(train):,} images of {DIGIT} to learn from, 10,000 of all digits to test; 8 is normal"


def _small_digits() -> tuple[Case, str]:
    """Two thirds to learn from, in their order: the images come from 43 people, one after the other."""
    images, digit = load_digits(return_X_y=True)
    images = (255 / 16 * images).astype(np.uint8).reshape(-1, 8, 8)
    cut = 2 * len(images) // 3
    case = _case(images[:cut][digit[:cut] == DIGIT], (images[cut:], digit[cut:]))
    return case, "the small digits of scikit-learn (8 x 8 pixels), 116 images of 8 to learn from, 599 to test"


def _case(train: Array, test: tuple[Array, Array]) -> Case:
    truth = np.where(test[1] == DIGIT, 0, test[1].astype(np.int64) + 1)
    return Case(_images(train), _images(test[0], truth))


def _images(images: Array, truth: Array | None = None) -> InMemory:
    schema = Schema("image", ("grey",), (), (1, *images.shape[1:]))
    return InMemory(Batch(schema, images[:, None], truth=truth))


def _checks(which: str) -> tuple[Check, ...]:
    """Bounds from `expected.json`, beside this file."""
    text = resources.files(__package__).joinpath("expected.json").read_text(encoding="utf-8")
    bounds = json.loads(text)[which]
    return tuple(Check(metric, bound.get("at_least"), bound.get("at_most")) for metric, bound in bounds.items())
