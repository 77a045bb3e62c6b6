"""How long `inspect` takes to fit, to score and to score one very large image, beside its backbone alone.

Images are simulated. The backbone alone (a forward pass on the same pixels, nothing else) is what scoring cannot be
quicker than; both are timed in the same run, in turn, as other jobs on the machine slow both down. Fit and processes
are timed as commands, from their start to their end.

    python benchmarks/inspect_speed.py
    python benchmarks/inspect_speed.py --learn 40 --learn-size 512x512 --score 32    # to see that it runs
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from PIL import Image

from lynkeus.core import Array, Batch
from lynkeus.fitting.fitted import Fitted
from lynkeus.networks.backbone import Backbone, backbone
from lynkeus.simulate.surface.source import SurfaceSource
from lynkeus.sources import ImageSource

SCORED_SIZE, LARGE_SIZE = "320x768", "2816x3488"  # rows x columns
STRIP_PIXELS = 3_000_000  # that the backbone alone is given at a time
ROUNDS = 3  # the best of them counts
FEW = 4  # images, to know what starting the processes takes


class Took(NamedTuple):
    """Seconds of the clock and of the processors."""

    clock_s: float
    cpu_s: float


def write_images(folder: Path, count: int, size: str, seed: int) -> None:
    """Good images of a ball screw."""
    folder.mkdir(parents=True)
    for number, picture in enumerate(SurfaceSource(count, size, "ball_screw", seed=seed).pictures()):
        Image.fromarray(np.ascontiguousarray(picture.pixels.transpose(1, 2, 0))).save(folder / f"{number:04}.png")


def command(*words: object) -> Took:
    """Run `lynkeus` with these words."""
    begin, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-m", "lynkeus", *map(str, words)], check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Took(time.perf_counter() - begin, cpu_s)


def alone(network: Backbone, image: Array) -> None:
    """The backbone, in strips where the image is large."""
    height = max(16, STRIP_PIXELS // image.shape[2])
    with torch.inference_mode():
        for top in range(0, image.shape[1], height):
            network(torch.from_numpy(np.ascontiguousarray(image[None, :, top : top + height])))


def cpu_s(work: Callable[[Array], object], images: Sequence[Array]) -> float:
    """Processor seconds an image."""
    begin = time.process_time()
    for image in images:
        work(image)
    return (time.process_time() - begin) / len(images)


class Compared(NamedTuple):
    """Processor seconds an image, best of the rounds; memory (MB) before the first image, and at most by `inspect`."""

    ours_s: float
    alone_s: float
    before_mb: float
    peak_mb: float


def compare(model: Path, folder: Path, rounds: int) -> Compared:
    """`inspect` and the backbone alone in turn, in a process of its own with one thread."""
    torch.set_num_threads(1)
    scorer: Any = Fitted.load(model).scorer
    source, network = ImageSource(folder, colour=True), backbone()
    images = [np.ascontiguousarray(image) for batch in source for image in batch.values]
    before_mb, peaks, ours_s, alone_s = most_memory_mb(), [], [], []
    for _ in range(rounds):
        ours_s.append(cpu_s(lambda image: scorer.inspect(Batch(source.schema, image[None])), images))
        peaks.append(most_memory_mb())
        alone_s.append(cpu_s(lambda image: alone(network, image), images))
    return Compared(min(ours_s), min(alone_s), before_mb, peaks[0])


def most_memory_mb() -> float:
    """That this process has had so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def in_own_process(model: Path, folder: Path, rounds: int) -> Compared:
    """See `compare`."""
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        return pool.submit(compare, model, folder, rounds).result()


def load() -> str:
    """How many processes wanted to run in the last minute."""
    return f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors"


def measure(folder: Path, options: argparse.Namespace) -> None:
    write_images(folder / "learn", options.learn, options.learn_size, 1)
    write_images(folder / "score", options.score, SCORED_SIZE, 2)
    write_images(folder / "few", FEW, SCORED_SIZE, 2)
    write_images(folder / "large", 1, options.large_size, 3)
    print(f"torch {torch.__version__}, {load()}", flush=True)
    fit = command("fit", folder / "learn", "-s", "inspect", "-o", folder / "model")
    print(f"fit, {options.learn} images of {options.learn_size}: {fit.clock_s:.1f} s, {fit.cpu_s:.1f} CPU-s; {load()}")
    for name, rounds in (("score", ROUNDS), ("large", 1)):
        found = in_own_process(folder / "model", folder / name, rounds)
        size = SCORED_SIZE if name == "score" else options.large_size
        print(
            f"inspect, {size}: {found.ours_s:.3f} CPU-s an image ({1 / found.ours_s:.2f} images/CPU-s), backbone alone "
            f"{found.alone_s:.3f}, ratio {found.ours_s / found.alone_s:.2f}; memory {found.before_mb:.0f} MB before, "
            f"{found.peak_mb:.0f} MB at most; {load()}",
            flush=True,
        )
    took = {}
    for processes in (1, 2):
        for name in ("few", "score"):
            to = folder / f"{name}{processes}.parquet"
            took[name, processes] = command(
                "score", folder / "model", folder / name, "-o", to, "--processes", processes
            )
        clock_s, cpu_s = took["score", processes]
        words = f"lynkeus score, {options.score} images, {processes} processes"
        print(f"{words}: {clock_s:.1f} s, {cpu_s:.1f} CPU-s; {load()}", flush=True)
    speed = took["score", 1].clock_s / took["score", 2].clock_s
    running = [took["score", n].clock_s - took["few", n].clock_s for n in (1, 2)]
    print(f"2 processes: {speed:.2f} times as quick, {running[0] / running[1]:.2f} without the start of the command")


def asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--learn", type=int, default=150, help="images to fit on")
    parser.add_argument("--learn-size", default="1024x1024", help="rows x columns")
    parser.add_argument("--large-size", default=LARGE_SIZE, help="rows x columns of the one large image")
    parser.add_argument("--score", type=int, default=200, help=f"images of {SCORED_SIZE} to score")
    return parser.parse_args()


if __name__ == "__main__":
    options = asked()
    with tempfile.TemporaryDirectory() as made:
        measure(Path(made), options)
