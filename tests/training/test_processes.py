"""Two processes of torchrun train one network: a tagger, also when it was stopped and started again, and a table's."""

from __future__ import annotations

import importlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("torch")
from safetensors.numpy import load_file

# 79 jets to learn from in batches of 32: one process would have 40 and a second batch, the other 39 and none.
FIT = """
import json, os, sys, numpy as np, torch
from pathlib import Path
from safetensors.torch import save_file
from lynkeus.core import Batch, Group, Packed, Schema
from lynkeus.networks.taggers.particle_net import ParticleNet, ParticleNetSizes
from lynkeus.scorers.learned.autoencoder import Autoencoder
from lynkeus.scorers.taggers.network import Tags
from lynkeus.sources import InMemory
from lynkeus.training import PackedSet, Session, TrainSettings, loop, train, use_session
from lynkeus.training.packed import PackedFeed
from lynkeus.training.seeded import seeded

loop.CHECKPOINT_SECONDS, loop.AGREE_S = 0.0, 60.0
folder, rank = Path(sys.argv[1]), os.environ["RANK"]
rng = np.random.default_rng(0)
truth, lengths = rng.integers(0, 2, 99), rng.integers(1, 20, 99)
wide = {"points": 2, "features": 3}
groups = {name: rng.normal(0, 1, (lengths.sum(), many)).astype(np.float32) for name, many in wide.items()}
groups["features"][:, 0] += np.repeat(2.0 * truth - 1, lengths)
jets = Packed({name: Group.of_lengths(values, lengths) for name, values in groups.items()})
sizes = ParticleNetSizes(((3, (8, 8)),), ((16, 0.3),))
settings = TrainSettings(epochs=5, batch_size=32, learning_rate=0.02, held_out=0.2, average=0.9)
measure = PackedFeed.measure

def trained(name, session, stop=None):
    epochs = iter(range(99))
    def measured(self, own):
        if next(epochs) == stop:
            raise KeyboardInterrupt
        return measure(self, own)
    PackedFeed.measure = measured
    with seeded(0):
        task = Tags(ParticleNet(3, 2, sizes))
    with use_session(session):
        history = train(task, PackedSet(jets, truth, None), settings, 1, "tagger")
    save_file(dict(task.networks.state_dict()), folder / f"{name}.{rank}")
    (folder / f"{name}.{rank}.json").write_text(json.dumps([[one.held_out for one in history.epochs], history.resumed]))

trained("whole", Session(device="cpu"))
try:
    trained("stopped", Session(device="cpu", folder=folder / "checkpoints"), 3)
except KeyboardInterrupt:
    torch.distributed.barrier()
trained("again", Session(device="cpu", folder=folder / "checkpoints"))
values = rng.normal(size=(1501, 4)) @ rng.normal(size=(4, 4))
schema = Schema("table", ("a", "b", "c", "d"), (), (4,))
with use_session(Session(device="cpu")):
    scorer = Autoencoder(training={"epochs": 2}).fit(InMemory(Batch(schema, values)))
scorer.save(folder / f"table.{rank}")
from line import line
line(folder / "of two", 3)
save_file(line(None, 6)[0], folder / f"line.{rank}")
"""


# Without numbers drawn in a step: then it does not matter how many processes learn, and how many went on.
LINE = """
import numpy as np, torch
from pathlib import Path
from torch import nn
from lynkeus.training import KnownSet, Session, TrainSettings, loop, train, use_session

class Line:
    betas = (0.9, 0.999)
    def __init__(self):
        self.networks = nn.ModuleDict({"line": nn.Linear(4, 3)})
        nn.init.zeros_(self.networks["line"].weight)
        nn.init.zeros_(self.networks["line"].bias)
    def start(self, x): pass
    def step(self, x, y, update):
        loss = nn.functional.cross_entropy(self.networks["line"](x), y)
        update("line", loss)
        return {"line": loss}
    def judge(self, x, y):
        logits = self.networks["line"](x)
        return nn.functional.cross_entropy(logits, y, reduction="none"), logits.argmax(dim=1) == y
    def spread(self, x):
        return self.networks["line"](x).std()

def line(checkpoints, epochs):
    loop.CHECKPOINT_SECONDS = 0.0
    rng = np.random.default_rng(0)
    x = rng.normal(size=(1000, 4)).astype(np.float32)
    taught = KnownSet(x, (x[:, :3] + rng.normal(size=(1000, 3))).argmax(axis=1))
    settings = TrainSettings(epochs=6, batch_size=32, learning_rate=0.02, patience=99)
    done = loop._Run._done
    loop._Run._done = lambda self: done(self) or len(self.history.epochs) >= epochs
    task = Line()
    try:
        with use_session(Session(device="cpu", folder=checkpoints)):
            history = train(task, taught, settings, 1, "line")
    finally:
        loop._Run._done = done
    return dict(task.networks.state_dict()), history
"""


@pytest.mark.slow(10)
def test_two_processes_train_one_network_also_after_a_stop(
    tmp_path: Path, agree, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = ["--standalone", "--local-addr=127.0.0.1"]  # the name of this machine may lead nowhere
    torchrun = [sys.executable, "-m", "torch.distributed.run", *here, "--nproc-per-node=2", "--no-python"]
    path = os.pathsep.join([str(Path(__file__).parents[2] / "src"), os.environ.get("PYTHONPATH", "")])
    own = os.environ | {"PYTHONPATH": path, "OMP_NUM_THREADS": "1"}
    (tmp_path / "line.py").write_text(LINE)
    own["PYTHONPATH"] += os.pathsep + str(tmp_path)
    command = [*torchrun, sys.executable, "-c", FIT, str(tmp_path)]
    with subprocess.Popen(command, env=own, start_new_session=True) as running:
        try:
            assert running.wait(150.0) == 0
        except BaseException:  # processes that do not agree on their steps wait for one another: this ends them all
            os.killpg(running.pid, signal.SIGKILL)
            raise
    told = {name: json.loads((tmp_path / f"{name}.json").read_text()) for name in ("whole.0", "whole.1", "again.0")}
    assert told["whole.0"][0] == told["whole.1"][0]
    assert told["again.0"] == [pytest.approx(told["whole.0"][0]), ["tagger: going on after epoch 3"]]
    whole, other, again = (load_file(tmp_path / name) for name in ("whole.0", "whole.1", "again.0"))
    for name, tensor in whole.items():
        agree(again[name], tensor, single=True)
        if "running" not in name:  # statistics of its own jets
            agree(other[name], tensor, single=True)
    assert (tmp_path / "table.0" / "weights.safetensors").is_file()

    monkeypatch.syspath_prepend(tmp_path)
    line = importlib.import_module("line").line
    alone, history = line(None, 6)
    (went_on, second), by_two = line(tmp_path / "of two", 6), load_file(tmp_path / "line.0")
    assert second.resumed == ["line: going on after epoch 3"]
    assert [one.held_out for one in second.epochs] == pytest.approx([one.held_out for one in history.epochs], rel=1e-4)
    for name, tensor in alone.items():  # begun by two processes and gone on by one; by two from beginning to end
        agree(went_on[name].numpy(), tensor.numpy(), single=True)
        agree(by_two[name], tensor.numpy(), single=True)
