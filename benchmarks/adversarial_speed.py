"""Training steps per second of f-AnoGAN's game and of its encoder, on grey images of 64 x 64 and 256 x 256 pixels.

A step of the game is five of the critic and one of the generator. Run on a GPU for numbers that mean something:

    python benchmarks/adversarial_speed.py                         # whatever device there is, single precision
    python benchmarks/adversarial_speed.py --precision bf16-mixed --batch 64 --width 64 --steps 100
"""

from __future__ import annotations

import argparse
import platform
import time

import numpy as np
import torch
from torch import Tensor

from lynkeus.networks.critic import Critic, encoder
from lynkeus.networks.generator import generator
from lynkeus.scorers.adversarial import Inversion
from lynkeus.scorers.adversarial_game import Game
from lynkeus.training import Losses, Session, TrainSettings, Update, train, use_session
from lynkeus.training.task import step_size

LATENT, CRITIC_STEPS = 128, 5
SIDES = (64, 256)
HELD_OUT = 0.1
WARM_UP = 2  # steps that are not timed


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
    """Trained for one epoch by the loop of the package."""
    count = round((steps + WARM_UP) * batch / (1 - HELD_OUT))
    images = np.random.default_rng(0).normal(size=(count, *shape)).astype(np.float32)
    watch = Stopwatch(task)
    settings = TrainSettings(epochs=1, batch_size=batch, held_out=HELD_OUT)
    train(watch, images, np.zeros(count, np.int64), settings, seed=0, title="benchmark")
    timed = watch.moments_s[WARM_UP - 1 :]
    return (len(timed) - 1) / (timed[-1] - timed[0])


def measure(side: int, options: argparse.Namespace) -> tuple[float, float, int]:
    """Steps per second of the game and of the encoder, and how many parameters there are."""
    shape, width = (1, side, side), options.width
    networks = {"generator": generator(shape, LATENT, width), "critic": Critic(shape, width)}
    networks["encoder"] = encoder(shape, LATENT, width)
    inversion = Inversion(torch.nn.ModuleDict(networks), LATENT, "izi_f", 1.0, 0)
    game = Game(networks["generator"], networks["critic"], LATENT, CRITIC_STEPS)
    played = steps_per_s(game, shape, CRITIC_STEPS * options.batch, options.steps)
    encoded = steps_per_s(inversion, shape, options.batch, options.steps)
    return played, encoded, step_size(inversion)


def asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda")
    parser.add_argument("--precision", default="32-true", help="32-true, bf16-mixed or 16-mixed")
    parser.add_argument("--batch", type=int, default=16, help="images in a step of the critic, and of the encoder")
    parser.add_argument("--width", type=int, default=16, help="channels of the first block")
    parser.add_argument("--steps", type=int, default=0, help="steps that are timed; 0: 50 on a GPU, 2 on a CPU")
    return parser.parse_args()


if __name__ == "__main__":
    options = asked()
    where = Session(device=options.device, precision=options.precision)
    device = where.torch_device
    options.steps = options.steps or (50 if device.type == "cuda" else 2)
    name = torch.cuda.get_device_name() if device.type == "cuda" else platform.processor() or "CPU"
    print(f"{name}, torch {torch.__version__}, {options.precision}, batch {options.batch}, width {options.width}")
    print(f"{'pixels':>9} {'parameters':>11} {'game steps/s':>13} {'encoder steps/s':>16} {'peak GPU MiB':>13}")
    with use_session(where):
        for side in SIDES:
            game, encoding, parameters = measure(side, options)
            peak = torch.cuda.max_memory_allocated() / 2**20 if device.type == "cuda" else 0
            print(f"{side:>4}x{side:<4} {parameters:>11,} {game:>13.2f} {encoding:>16.2f} {peak:>13.0f}", flush=True)
