"""Networks of jets: ours on packed clouds beside weaver-core's on padded ones, with the same weights and the same jets.

    python benchmarks/jets.py [--networks lite full transformer] [--batch 64] [--repeats 5] [--threads 1 2] [--onnx]

Both run in one process, one after the other in every repeat; first the logits must agree to 1e-4. Jets per second are
of the best repeat; the ratio is the median over repeats, of wall time and of CPU time (of all threads; other work on
the machine changes it less). Peak memory is that of a process of its own for each, and of one that only imports. Jets
have 30 to 100 particles, 60 on average, 7 features and 2 classes; weaver gets them padded to 100 and trims what it can.
With --onnx the padded forms run by onnxruntime, too. pip install weaver-core==0.5.3.
"""

from __future__ import annotations

import argparse
import logging
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

os.environ.setdefault("OMP_NUM_THREADS", "2")  # of the process; each measurement says how many it uses
os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # threads that wait for others leave the core to other work

import numpy as np
import torch
from torch import Tensor, nn

from lynkeus.networks.taggers.particle_net import FULL, LITE
from lynkeus.networks.taggers.weaver import from_weaver

PLACES, FEATURES, CLASSES = 100, 7, 2
SIZES = {"lite": LITE, "full": FULL}
WARM = 6  # calls after which weaver trims


class Jets(NamedTuple):
    """The same jets, packed and padded."""

    groups: dict[str, tuple[Tensor, Tensor]]
    padded: dict[str, Tensor]
    truth: Tensor


def jets_of(many: int, seed: int = 0) -> Jets:
    """Jets with as many particles as boosted ones have, of random numbers."""
    torch.manual_seed(seed)
    share = torch.distributions.Beta(1.5, 2.0).sample((many,))
    lengths = (30 + 70 * share).round().long().clamp(30, PLACES)
    offsets = torch.cat([lengths.new_zeros(1), lengths.cumsum(0)])
    rows = int(offsets[-1])
    points, features = 0.3 * torch.randn(rows, 2), torch.randn(rows, FEATURES)
    pt, (eta, phi) = torch.empty(rows).exponential_(0.05) + 0.5, points.unbind(1)
    vectors = torch.stack([pt * phi.cos(), pt * phi.sin(), pt * eta.sinh(), 1.01 * pt * eta.cosh()], dim=1)
    real = torch.arange(PLACES) < lengths[:, None]
    padded = {"mask": real[:, None]}
    for name, values in (("points", points), ("features", features), ("vectors", vectors)):
        full = torch.zeros(many, PLACES, values.shape[1])
        full[real] = values
        padded[name] = full.transpose(1, 2).contiguous()
    groups = {"points": (points, offsets), "features": (features, offsets), "vectors": (vectors, offsets)}
    return Jets(groups, padded, torch.randint(0, CLASSES, (many,)))


def weaver_network(name: str) -> nn.Module:
    logging.disable(logging.INFO)
    torch.manual_seed(1)
    if name == "transformer":
        from weaver.nn.model.ParticleTransformer import ParticleTransformer

        return ParticleTransformer(FEATURES, CLASSES, fc_params=[])
    from weaver.nn.model.ParticleNet import ParticleNet

    sizes = SIZES[name]
    return ParticleNet(FEATURES, CLASSES, list(sizes.blocks), list(sizes.dense), sizes.fusion)


def sides(name: str, jets: Jets) -> dict[str, tuple[nn.Module, Callable[[], Tensor]]]:
    """The two networks, and how each is called."""
    theirs = weaver_network(name)
    ours = from_weaver(theirs.state_dict())
    first = "features" if name == "transformer" else "points"
    second = "vectors" if name == "transformer" else "features"
    given = jets.padded[first], jets.padded[second], jets.padded["mask"]
    return {"weaver": (theirs, lambda: theirs(*given)), "ours": (ours, lambda: ours(jets.groups))}


def step(network: nn.Module, call: Callable[[], Tensor], jets: Jets, training: bool) -> None:
    """One pass; in training also the way back and a step of Adam."""
    network.train(training)
    with torch.set_grad_enabled(training):
        logits = call()
        if training:
            if not hasattr(network, "adam"):
                object.__setattr__(network, "adam", torch.optim.Adam(network.parameters(), 1e-3))
            network.adam.zero_grad()
            nn.functional.cross_entropy(logits, jets.truth).backward()
            network.adam.step()


def measure(name: str, batch: int, repeats: int, threads: int) -> None:
    """Print a line for inference and one for training."""
    torch.set_num_threads(threads)
    jets = jets_of(batch)
    both = sides(name, jets)
    with torch.no_grad():
        for network, call in both.values():
            network.eval()
            for _ in range(WARM):
                call()
        off = float((both["weaver"][1]() - both["ours"][1]()).abs().max())
    assert off < 1e-4, f"logits differ by {off}"
    for training in (False, True):
        wall: dict[str, list[float]] = {side: [] for side in both}
        cpu: dict[str, list[float]] = {side: [] for side in both}
        for repeat in range(repeats + 1):
            for side, (network, call) in both.items():
                began, used = time.perf_counter(), time.process_time()
                step(network, call, jets, training)
                if repeat:  # the first one only warms up
                    wall[side].append(time.perf_counter() - began)
                    cpu[side].append(time.process_time() - used)
        speed = {side: batch / min(times) for side, times in wall.items()}
        ratios = [
            statistics.median(a / b for a, b in zip(times["weaver"], times["ours"], strict=True))
            for times in (wall, cpu)
        ]
        what = "training" if training else "inference"
        print(
            f"{name:12} {what:10} threads {threads}  weaver {speed['weaver']:7.0f} jets/s  ours {speed['ours']:7.0f}"
            f"  ratio {ratios[0]:5.2f} (CPU time {ratios[1]:5.2f})  largest difference of logits {off:.0e}",
            flush=True,
        )


def memory(name: str, batch: int) -> None:
    """Print the peak memory of each side in a process of its own."""
    for what in ("inference", "training"):
        peak = {}
        for side in ("none", "weaver", "ours"):
            command = [sys.executable, __file__, "--peak", side, what, "--networks", name, "--batch", str(batch)]
            peak[side] = int(subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()[-1])
        print(
            f"{name:12} {what:10} batch {batch}  peak memory: weaver {peak['weaver'] / 1e3:.0f} MB, ours "
            f"{peak['ours'] / 1e3:.0f} MB, ratio {peak['ours'] / peak['weaver']:.2f}; imports and jets alone "
            f"{peak['none'] / 1e3:.0f} MB",
            flush=True,
        )


def peak(name: str, batch: int, side: str, what: str) -> None:
    """Print the peak memory of this process in kB; side "none" only imports and makes the jets."""
    torch.set_num_threads(1)
    jets = jets_of(batch)
    both = sides(name, jets)
    if side != "none":
        for _ in range(WARM + 2 if what == "inference" else 3):
            step(*both[side], jets, what == "training")
    print(peak_kb())


def peak_kb() -> int:
    """The peak memory of this program; what getrusage says is that of whoever started it, where that was more."""
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))


def by_onnx(name: str, batch: int, repeats: int) -> None:
    """Print how fast the ONNX file is beside the packed network, one thread each."""
    import onnxruntime

    from lynkeus.networks.taggers.padded import padded
    from lynkeus.networks.taggers.padded.wrap import names_of, tensors_of
    from lynkeus.scorers.onnx.taggers import export_tagger

    torch.set_num_threads(1)
    jets = jets_of(batch)
    network, call = sides(name, jets)["ours"]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "tagger.onnx"
        off = export_tagger(network, path, jets.groups, {}, 1.0, np.zeros(CLASSES))
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        module = padded(network)
        given = {name: one.numpy() for name, one in zip(names_of(module), tensors_of(module, jets.groups), strict=True)}
        best = {"torch": float("inf"), "onnx": float("inf")}
        for _ in range(repeats):
            for side, run in (
                ("torch", lambda: step(network, call, jets, False)),
                ("onnx", lambda: session.run(None, given)),
            ):
                began = time.process_time()
                run()
                best[side] = min(best[side], time.process_time() - began)
    print(
        f"{name:12} inference, one thread, CPU time: packed in torch {batch / best['torch']:.0f} jets/s, padded by "
        f"onnxruntime {batch / best['onnx']:.0f}; largest difference {off:.0e}",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", nargs="+", default=["lite", "full", "transformer"])
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--onnx", action="store_true")
    parser.add_argument("--peak", nargs=2, help=argparse.SUPPRESS)
    given = parser.parse_args()
    for name in given.networks:
        if given.peak:
            peak(name, given.batch, *given.peak)
            continue
        for threads in given.threads:
            measure(name, given.batch, given.repeats, threads)
        memory(name, given.batch)
        if given.onnx:
            by_onnx(name, given.batch, given.repeats)


if __name__ == "__main__":
    main()
