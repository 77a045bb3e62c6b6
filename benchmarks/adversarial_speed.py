"""Training steps per second of f-AnoGAN's game and of its encoder, for the networks of this package and the published.

A step of the game is `--critic-steps` of the critic and one of the generator, each on `--batch` images. The published
networks (dcgan) are for 256 x 256 x 3 pixels, codes of 2048 numbers, width 64 and batches of 128; their authors needed
five minutes for 1,000 batches on an A100 of 40 GB, as the last column has it. Images are of 8 bits and are standardised
on the device. Run on a GPU for numbers that mean something:

    python benchmarks/adversarial_speed.py                              # all variants of dcgan, as published
    python benchmarks/adversarial_speed.py --network auto --side 64 --channels 1 --latent 128 --width 16 --batch 16
    python benchmarks/adversarial_speed.py --side 28 --channels 1 --latent 8 --width 4 --batch 4 --steps 1  # a CPU
"""

from __future__ import annotations

import argparse
import platform
import time
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lynkeus.networks.standardise import Standardise
from lynkeus.scorers.learned.adversarial.families import FAMILIES
from lynkeus.scorers.learned.adversarial.game import Game
from lynkeus.scorers.learned.adversarial.scorer import Adversarial, Inversion
from lynkeus.training import Losses, Session, TrainingSet, TrainSettings, Update, train, use_session
from lynkeus.training.task import step_size
from lynkeus.transforms.inputs import Inputs

HELD_OUT = 0.1
WARM_UP = 3  # steps that are not timed; what is compiled is compiled in them
IMAGES = 2048  # at most, drawn again in each epoch
VARIANTS: dict[str, dict[str, Any]] = {
    "float32": {},
    "bf16": {"precision": "bf16-mixed"},
    "bf16, channels last": {"precision": "bf16-mixed", "channels_last": True},
    "bf16, channels last, compiled": {"precision": "bf16-mixed", "channels_last": True, "compiled": True},
}


class Stopwatch:
    """A task whose steps are timed, and whose judging costs next to nothing."""

    def __init__(self, task: Game | Inversion) -> None:
        self.task, self.networks, self.betas = task, task.networks, task.betas
        self.moments_s: list[float] = []

    def start(self, x: Tensor) -> None:
        self.task.start(x)

    def step(self, x: Tensor, y: Tensor, update: Update) -> Losses:
        losses = self.task.step(x, y, update)
        if x.is_cuda:
            torch.cuda.synchronize()
        self.moments_s.append(time.perf_counter())
        return losses

    def loss(self, x: Tensor) -> Tensor:
        return x.flatten(1).mean(dim=1)

    score = loss

    def spread(self, x: Tensor) -> Tensor:
        return x.std()


def steps_per_s(task: Game | Inversion, shape: tuple[int, ...], batch: int, steps: int) -> float:
    """Trained by the loop of the package; the time between epochs does not count."""
    each = max(1, min(steps + WARM_UP, IMAGES // batch))
    images = np.random.default_rng(0).integers(0, 256, (-(-each * batch * 10 // 9) + 10, *shape), np.uint8)
    watch = Stopwatch(task)
    epochs = -(-(steps + WARM_UP) // each)
    settings = TrainSettings(epochs=epochs, batch_size=batch, held_out=HELD_OUT, learning_rate=1e-5, patience=epochs)
    inputs = Standardise(Inputs(np.full(shape[0], 127.5), np.full(shape[0], 74.0)))
    taught = TrainingSet(images, np.zeros(len(images), np.int64), inputs=inputs)
    train(watch, taught, settings, seed=0, title="benchmark")
    took = np.diff(watch.moments_s[WARM_UP - 1 :])
    return float(1 / np.median(took))


def measure(options: argparse.Namespace) -> tuple[float, float, Inversion]:
    """Steps per second of the game and of the encoder."""
    shape = (options.channels, options.side, options.side)
    scorer = Adversarial(network=options.network, latent=options.latent, width=options.width)
    inversion = scorer.make_task(shape)
    generator, critic = inversion.networks["generator"], inversion.networks["critic"]
    game = Game(generator, critic, inversion.latent, options.critic_steps)
    game.betas = FAMILIES[options.network].betas
    played = steps_per_s(game, shape, options.critic_steps * options.batch, options.steps)
    return played, steps_per_s(inversion, shape, options.batch, options.steps), inversion


def asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda")
    parser.add_argument("--network", default="dcgan", choices=list(FAMILIES))
    parser.add_argument("--side", type=int, default=256, help="pixels")
    parser.add_argument("--channels", type=int, default=3)
    parser.add_argument("--latent", type=int, default=0, help="numbers in a code; 0: as published")
    parser.add_argument("--width", type=int, default=0, help="channels of the first layer; 0: as published")
    parser.add_argument("--batch", type=int, default=128, help="images in a step of the critic, and of the encoder")
    parser.add_argument("--critic-steps", type=int, default=1, help="for each of the generator")
    parser.add_argument("--steps", type=int, default=0, help="steps that are timed; 0: 30 on a GPU, 2 on a CPU")
    parser.add_argument("--variants", nargs="+", default=list(VARIANTS), choices=list(VARIANTS))
    return parser.parse_args()


if __name__ == "__main__":
    options = asked()
    device = Session(device=options.device).torch_device
    options.steps = options.steps or (30 if device.type == "cuda" else 2)
    name = torch.cuda.get_device_name() if device.type == "cuda" else platform.processor() or "CPU"
    print(f"{name}, torch {torch.__version__}, {options.network}, {options.side} x {options.side} x {options.channels}")
    print(f"{'variant':<30} {'game steps/s':>13} {'encoder steps/s':>16} {'peak GPU MiB':>13} {'min/1000 batches':>17}")
    for variant in options.variants:
        if device.type == "cuda":
            torch.cuda.reset_peak_memory_stats()
        with use_session(Session(device=options.device, **VARIANTS[variant])):
            played, encoded, task = measure(options)
        peak = torch.cuda.max_memory_allocated() / 2**20 if device.type == "cuda" else 0
        minutes = 1000 / (played * options.critic_steps) / 60  # of the game, a batch for each step of the critic
        print(f"{variant:<30} {played:>13.2f} {encoded:>16.2f} {peak:>13.0f} {minutes:>17.2f}", flush=True)
    counts = {part: sum(weight.numel() for weight in net.parameters()) for part, net in task.networks.items()}
    print(", ".join(f"{part} {count:,}" for part, count in counts.items()), f"parameters, {step_size(task):,} together")
