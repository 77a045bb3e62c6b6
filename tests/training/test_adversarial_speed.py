"""The benchmark of adversarial training runs as it is, on a CPU, on tiny images."""

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "adversarial_speed.py"
TINY = ["--device", "cpu", "--side", "28", "--channels", "1", "--latent", "8", "--width", "4", "--batch", "4"]


@pytest.mark.slow(4)
def test_the_benchmark_runs_on_tiny_images() -> None:
    command = [sys.executable, str(SCRIPT), *TINY, "--steps", "1", "--variants", "float32", "bf16, channels last"]
    run = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120.0)
    lines = run.stdout.splitlines()
    assert "dcgan, 28 x 28 x 1" in lines[0]
    for line, variant in ((lines[2], "float32"), (lines[3], "bf16, channels last")):
        assert line.startswith(variant)
        assert all(float(number) >= 0 for number in line.removeprefix(variant).split())
    assert lines[-1].startswith("generator 3,737, critic 989, encoder 3,740 parameters")
