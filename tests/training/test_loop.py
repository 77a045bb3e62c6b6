"""The training loop: the same result every time, also after a kill; early stopping; a loss that is no number."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file
from torch import Tensor, nn

from lynkeus.core import ModelError, SettingsError
from lynkeus.training import ADAM, History, Session, TrainingSet, TrainSettings, mean_loss, train, use_session
from lynkeus.training.checkpoint import BEFORE, FILE

QUICK = TrainSettings(epochs=6, batch_size=64)


class Line:
    """Reconstruct samples from one number; breaks in one epoch where it is told to."""

    betas = ADAM

    def __init__(self, columns: int = 6, breaks_at: int = -1) -> None:
        torch.manual_seed(3)
        self.networks = nn.ModuleDict(
            {"line": nn.Sequential(nn.Linear(columns, 1), nn.Dropout(0.1), nn.Linear(1, columns))}
        )
        self.breaks_at, self.steps = breaks_at, 0

    def start(self, x: Tensor) -> None:
        pass

    def step(self, x, y, update):
        self.steps += 1
        loss = ((self.networks["line"](x) - x) ** 2).mean() * (float("nan") if self.steps == self.breaks_at else 1.0)
        update("line", loss)
        return {"error": loss}

    def score(self, x: Tensor) -> Tensor:
        return ((self.networks["line"](x) - x) ** 2).mean(dim=1)

    loss = score

    def spread(self, x: Tensor) -> Tensor:
        return self.networks["line"](x).std(dim=0).mean() / x.std(dim=0).mean()

    def weights(self) -> np.ndarray:
        return np.concatenate([tensor.numpy().ravel() for tensor in self.networks.state_dict().values()])


def samples(n: int = 600, columns: int = 6) -> np.ndarray:
    rng = np.random.default_rng(1)
    along = rng.normal(size=(n, 1)) * np.linspace(0.5, 1.5, columns)
    return (along + 0.1 * rng.normal(size=(n, columns))).astype(np.float32)


def same(found: np.ndarray, expected: np.ndarray) -> None:
    """Weights of two trainings that do the same. A step rounds by 6e-8 and later ones multiply that: data apart by
    1e-7 give weights that differ by 1e-7 after 40 epochs (in larger networks by 1e-2)."""
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5 * np.abs(expected).max())


def run(task: Line, settings: TrainSettings = QUICK, **session: object) -> History:
    x = samples()
    with use_session(Session(device="cpu", **session)):  # type: ignore[arg-type]
        return train(task, TrainingSet(x, np.zeros(len(x), np.int64)), settings, 0, "line")


def test_it_learns_says_so_and_gives_the_same_weights_again() -> None:
    one, other = Line(), Line()
    history = run(one, TrainSettings(epochs=40, batch_size=64, learning_rate=0.01))
    run(other, TrainSettings(epochs=40, batch_size=64, learning_rate=0.01))
    same(one.weights(), other.weights())
    assert history.epochs[history.best].held_out < 0.1 < history.epochs[0].held_out
    assert history.epochs[history.best].efficiency > 0.5
    assert history.verdict in ("converged", "still learning")
    assert f"kept epoch {history.best + 1}" in history.says()
    assert not any(parameter.requires_grad and parameter.grad is not None for parameter in one.networks.parameters())


def test_the_random_numbers_of_the_caller_are_left_alone() -> None:
    torch.manual_seed(7)
    task = Line()
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    run(task)
    assert torch.equal(torch.rand(3), expected)


def test_a_loss_that_is_no_number_ends_it_with_the_last_good_epoch() -> None:
    task = Line(breaks_at=20)  # in the third epoch of eight steps
    history = run(task)
    assert history.diverged
    assert len(history.epochs) == 2
    assert np.isfinite(task.weights()).all()
    assert "a loss was not a number, the last good epoch is kept" in history.says()
    with pytest.raises(SettingsError, match=r"line: diverged in the first epoch; lower training.learning_rate"):
        run(Line(breaks_at=1))


def test_nothing_learned_for_some_epochs_ends_it_early() -> None:
    history = run(Line(), TrainSettings(epochs=200, batch_size=64, learning_rate=1e-9, patience=3))
    assert len(history.epochs) < 60


def test_it_goes_on_from_a_checkpoint_bit_for_bit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lynkeus.training.loop.CHECKPOINT_SECONDS", 0.0)
    whole = Line()
    run(whole)
    broken = Line()
    step, count = broken.step, iter(range(10**6))

    def stops(x, y, update):
        if next(count) == 30:
            raise KeyboardInterrupt
        return step(x, y, update)

    broken.step = stops
    with pytest.raises(KeyboardInterrupt):
        run(broken, folder=tmp_path)
    again = Line()
    history = run(again, folder=tmp_path)
    same(again.weights(), whole.weights())
    assert (history.messages, history.resumed) == ([], ["line: going on after epoch 3"])


def test_a_checkpoint_cut_short_gives_way_to_the_one_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lynkeus.training.loop.CHECKPOINT_SECONDS", 0.0)
    whole = Line()
    run(whole, folder=tmp_path)
    (folder,) = tmp_path.iterdir()
    content = (folder / FILE).read_bytes()
    (folder / FILE).write_bytes(content[: len(content) // 2])
    again = Line()
    history = run(again, folder=tmp_path)
    same(again.weights(), whole.weights())
    assert f"{folder / FILE} is cut short or damaged: going on from the checkpoint before it" in history.resumed
    for name in (FILE, BEFORE):
        (folder / name).write_bytes(content[:100])
    with pytest.raises(ModelError, match=r"is cut short or damaged, there is no other; remove .* to start afresh"):
        run(Line(), folder=tmp_path)


def test_other_data_or_settings_do_not_go_on_from_a_checkpoint(tmp_path: Path) -> None:
    run(Line(), folder=tmp_path)
    history = run(Line(), TrainSettings(epochs=7, batch_size=64), folder=tmp_path)
    assert not history.messages
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize(
    ("session", "says"),
    [
        ({"device": "cuda"}, "device cuda was asked for, but PyTorch finds no GPU here"),
        ({"device": "tpu"}, "device must be one of auto, cpu, cuda, got 'tpu'"),
        ({"precision": "8"}, "precision must be one of"),
    ],
)
@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_device_that_is_not_there_is_refused(session: dict, says: str) -> None:
    with pytest.raises(SettingsError, match=says):
        Session(**session)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"epochs": 0}, "training.epochs must be at least 1"),
        ({"held_out": 1.0}, "training.held_out must lie between 0 and 0.9"),
        ({"learning_rate": 0}, "training.learning_rate must be positive"),
        ({"epoch": 3}, "training.epoch: no such setting; there are: epochs, "),
    ],
)
def test_settings_out_of_range_are_named(given: dict, says: str) -> None:
    with pytest.raises(SettingsError, match=says):
        TrainSettings().replaced(given)


FIT = """
import sys, numpy as np
from pathlib import Path
from lynkeus.core import Batch, Schema
from lynkeus.scorers.learned.autoencoder import Autoencoder
from lynkeus.sources import InMemory
from lynkeus.training import Session, use_session
values = np.random.default_rng(0).normal(size=(4000, 12)) @ np.random.default_rng(1).normal(size=(12, 12))
schema = Schema("table", tuple(f"c{k}" for k in range(12)), (), (12,))
with use_session(Session(device="cpu", folder=Path(sys.argv[1]))):
    scorer = Autoencoder(training={"epochs": int(sys.argv[3])}).fit(InMemory(Batch(schema, values)))
scorer.save(Path(sys.argv[2]))
"""


PATIENCE_S = 120.0


def start(*words: object) -> subprocess.Popen[bytes]:
    line = [sys.executable, "-c", f"from lynkeus.training import loop\nloop.CHECKPOINT_SECONDS = 0.0\n{FIT}"]
    line += map(str, words)
    path = os.pathsep.join([str(Path(__file__).parents[2] / "src"), os.environ.get("PYTHONPATH", "")])
    return subprocess.Popen(line, env=os.environ | {"PYTHONPATH": path, "OMP_NUM_THREADS": "1"})


@pytest.mark.slow(12)
def test_a_training_killed_at_any_moment_ends_with_the_same_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["-c", str(tmp_path / "a"), str(tmp_path / "whole"), "30"])
    exec(compile(FIT, "fit", "exec"), {})  # without the time that another process takes to import PyTorch
    killed = start(tmp_path / "b", tmp_path / "killed", 30)
    begun = time.monotonic()
    while not list(tmp_path.glob("b/*/checkpoint.before")) and time.monotonic() - begun < PATIENCE_S:
        assert killed.poll() is None
        time.sleep(0.01)
    killed.send_signal(signal.SIGKILL)
    assert killed.wait(PATIENCE_S) == -signal.SIGKILL
    assert start(tmp_path / "b", tmp_path / "killed", 30).wait(PATIENCE_S) == 0
    told = [json.loads((tmp_path / name / "training.json").read_text()) for name in ("whole", "killed")]
    assert told[0].keys() == told[1].keys()
    for name in told[0].keys() - {"epochs"}:
        assert told[0][name] == told[1][name]
    assert len(told[0]["epochs"]) == len(told[1]["epochs"])
    whole, ended = (load_file(tmp_path / name / "weights.safetensors") for name in ("whole", "killed"))
    assert whole.keys() == ended.keys()
    largest = max(np.abs(weights).max() for weights in whole.values())
    for name, weights in whole.items():  # in data a difference of 1e-7 becomes one of 2e-6 here, another seed one of 1
        np.testing.assert_allclose(ended[name], weights, rtol=0, atol=1e-4 * largest)


def test_batches_by_the_number_of_samples_make_some_steps_of_few() -> None:
    assert [TrainSettings(batch_size=0).batch_of(samples) for samples in (20, 600, 5000)] == [32, 75, 128]
    assert TrainSettings(batch_size=500).batch_of(20) == 500
    history = run(Line(), TrainSettings(epochs=40, batch_size=0, learning_rate=0.01, clip_norm=0.0))
    assert history.epochs[history.best].held_out < 0.1
    with pytest.raises(SettingsError, match=r"training.batch_size must be at least 0, got -1"):
        TrainSettings(batch_size=-1)


class Weighing(Line):
    """Learns from samples with weights."""

    def step(self, x, y, update, weight=None):
        loss = mean_loss((self.networks["line"](x) - x) ** 2, weight)
        update("line", loss)
        return {"error": loss}


def two_kinds() -> tuple[np.ndarray, np.ndarray]:
    """Samples along one line, and as many along another, of which each weighs a tenth."""
    x = samples()
    x[::2] *= np.array([1, -1, 1, -1, 1, -1], np.float32)
    return x, np.where(np.arange(len(x)) % 2, 1.0, 0.1)


def trained(task: Line, taught: TrainingSet) -> tuple[np.ndarray, History]:
    """Loss (n,) of the two kinds of samples."""
    with use_session(Session(device="cpu")):
        history = train(task, taught, TrainSettings(epochs=40, batch_size=64, learning_rate=0.03), 0, "line")
    with torch.no_grad():
        return task.loss(torch.from_numpy(two_kinds()[0])).numpy(), history


def test_samples_count_by_their_weights() -> None:
    x, weight = two_kinds()
    labels = np.zeros(len(x), np.int64)
    as_they_weigh = np.repeat(np.arange(len(x)), np.where(weight == 1, 10, 1))
    alike, _ = trained(Weighing(), TrainingSet(x, labels))
    weighted, history = trained(Weighing(), TrainingSet(x, labels, weight))
    copied, of_copies = trained(Weighing(), TrainingSet(x[as_they_weigh], labels[as_they_weigh]))
    # One number cannot describe two lines: the kind that weighs more is described.
    assert weighted[1::2].mean() < 0.2 * weighted[::2].mean()
    assert alike[1::2].mean() > 2 * weighted[1::2].mean()
    # The held-out loss that stops it early is weighted too, as if the heavy samples were there ten times.
    least, of_copies_least = (min(epoch.held_out for epoch in one.epochs) for one in (history, of_copies))
    assert least == pytest.approx(of_copies_least, rel=0.2)
    assert np.average(copied, weights=weight) == pytest.approx(of_copies_least, rel=0.2)
    assert history.epochs[history.best].held_out == pytest.approx(np.average(weighted, weights=weight), rel=0.2)


def test_equal_weights_train_as_none_bit_for_bit() -> None:
    x, _ = two_kinds()
    one, other = Weighing(), Weighing()
    trained(one, TrainingSet(x, np.zeros(len(x), np.int64)))
    trained(other, TrainingSet(x, np.zeros(len(x), np.int64), np.full(len(x), 0.3)))
    np.testing.assert_array_equal(one.weights(), other.weights())


def test_a_task_that_takes_no_weights_refuses_them_in_a_line() -> None:
    x, weight = two_kinds()
    with pytest.raises(SettingsError, match="line counts all samples alike and cannot use weights"):
        trained(Line(), TrainingSet(x, np.zeros(len(x), np.int64), weight))
