"""The training loop on jets: batches, weights, schedules, a mean of weights, going on after a kill."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from lynkeus.core import Group, Packed, SettingsError
from lynkeus.scorers.taggers.network import Tags
from lynkeus.scorers.taggers.store import Store
from lynkeus.scorers.taggers.weighting import training_weight
from lynkeus.training import PackedSet, Session, TrainSettings, train, use_session
from lynkeus.training.packed import PackedFeed
from lynkeus.training.schedule import Average, rate
from lynkeus.training.seeded import seeded

SETTINGS = TrainSettings(epochs=4, batch_size=32, learning_rate=0.02, held_out=0.2, average=0.9)


class Sum(nn.Module):
    """Logits by the mean of the particles: the smallest network of clouds."""

    def __init__(self) -> None:
        super().__init__()
        self.last = nn.Linear(2, 2)

    def forward(self, groups):
        values, offsets = groups["features"]
        lengths = offsets[1:] - offsets[:-1]
        jet = torch.repeat_interleave(torch.arange(len(lengths)), lengths)
        total = values.new_zeros(len(lengths), 2).index_add(0, jet, values)
        return self.last(total / lengths.clamp(min=1)[:, None])


def taught(n: int = 600, similar: bool = False, weight: np.ndarray | None = None) -> PackedSet:
    rng = np.random.default_rng(0)
    truth, lengths = rng.integers(0, 2, n), rng.integers(1, 30, n)
    values = rng.normal(0, 1, (lengths.sum(), 2)).astype(np.float32)
    values[:, 0] += np.repeat(2.0 * truth - 1, lengths)
    return PackedSet(Packed({"features": Group.of_lengths(values, lengths)}), truth, weight, similar)


def task() -> Tags:
    with seeded(0):
        return Tags(Sum())


def trained(settings: TrainSettings = SETTINGS, samples: PackedSet | None = None) -> tuple[dict, object]:
    own = task()
    history = train(own, samples or taught(), settings, 1, "sum")
    return {name: tensor.clone() for name, tensor in own.networks.state_dict().items()}, history


def test_classes_are_learned_and_the_epoch_with_the_least_loss_is_kept() -> None:
    _, history = trained()
    assert history.named
    assert history.epochs[history.best].held_out == min(epoch.held_out for epoch in history.epochs)
    assert history.epochs[-1].efficiency > 0.9
    assert "named rightly" in history.says()


def test_killed_and_started_again_it_ends_with_the_same_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, agree
) -> None:
    monkeypatch.setattr("lynkeus.training.loop.CHECKPOINT_SECONDS", 0.0)
    expected, _ = trained()
    calls = {"count": 0}
    measure = PackedFeed.measure

    def killed(self, own):
        calls["count"] += 1
        if calls["count"] == 3:
            raise KeyboardInterrupt
        return measure(self, own)

    with use_session(Session(folder=tmp_path)):
        monkeypatch.setattr(PackedFeed, "measure", killed)
        with pytest.raises(KeyboardInterrupt):
            trained()
        monkeypatch.setattr(PackedFeed, "measure", measure)
        found, history = trained()
    assert any("going on after epoch 2" in line for line in history.resumed)
    for name, tensor in expected.items():
        agree(found[name].numpy(), tensor.numpy(), single=True)


def test_batches_are_all_jets_once_and_of_similar_length_where_it_is_asked() -> None:
    samples = taught(similar=True)
    feed = PackedFeed(task(), samples, SETTINGS, 1, "sum", torch.device("cpu"))
    count, batches = feed.batches(torch.Generator().manual_seed(0), 0, 1)
    batches = list(batches)
    assert len(batches) == count
    assert sum(len(batch.y) for batch in batches) >= feed.size - SETTINGS.batch_size // 4
    spread = [np.diff(batch.x["features"][1].numpy()).std() for batch in batches]
    assert np.mean(spread) < 0.3 * samples.values.groups["features"].lengths.std()
    assert not set(feed.held_out) & set(feed.training)


def test_jets_count_by_their_weights() -> None:
    weight = np.where(taught().labels == 1, 9.0, 1.0)
    heavy, _ = trained(samples=taught(weight=weight))
    alike, _ = trained()
    assert heavy["tagger.last.bias"].diff() > alike["tagger.last.bias"].diff() + 0.1


@pytest.mark.parametrize("schedule", ["cosine", "flat", "cycle"])
def test_every_schedule_reaches_the_highest_rate_and_ends_low(schedule: str) -> None:
    rates = [rate(schedule, share) for share in np.linspace(0, 1, 101)]
    assert max(rates) == pytest.approx(1.0)
    assert rates[-1] == pytest.approx(0.01)
    assert rate("flat", 0.6) == 1.0
    assert rate("cycle", 0.0) == pytest.approx(0.1)
    with pytest.raises(SettingsError, match="schedule must be one of"):
        TrainSettings(schedule="steps")


def test_a_mean_of_weights_lags_behind_and_is_put_there_and_taken_back() -> None:
    networks = nn.ModuleDict({"one": nn.Linear(1, 1)})
    mean = Average(networks, 0.9)
    with torch.no_grad():
        networks["one"].weight.fill_(10.0)
    for _ in range(200):
        mean.add()
    mean.put()
    assert float(networks["one"].weight.detach()) == pytest.approx(10.0, rel=1e-3)
    with torch.no_grad():
        networks["one"].weight.fill_(-1.0)
    mean.take_back()
    assert float(networks["one"].weight.detach()) == pytest.approx(10.0)


def test_jets_larger_than_memory_lie_on_disk_and_are_the_same(tmp_path: Path) -> None:
    jets = taught(300).values
    stores = Store(), Store(most_bytes=1000, folder=tmp_path)
    for store in stores:
        for first in range(0, 300, 70):
            store.add(jets[first : first + 70])
    assert [store.on_disk for store in stores] == [False, True]
    memory, disk = (store.packed() for store in stores)
    rows = np.array([5, 299, 0, 71])
    np.testing.assert_array_equal(disk[rows].groups["features"].values, memory[rows].groups["features"].values)
    np.testing.assert_array_equal(disk.groups["features"].offsets, memory.groups["features"].offsets)
    stores[1].close()
    assert not list(tmp_path.iterdir())


def test_reweighted_classes_have_the_same_spectrum() -> None:
    rng = np.random.default_rng(3)
    truth = np.repeat([0, 1], [6000, 2000])
    pt = np.where(truth == 0, 300 + rng.exponential(80, 8000), rng.uniform(300, 600, 8000))
    moving = np.stack([pt, rng.normal(0, 1, 8000)], axis=1)
    alike, _ = training_weight("classes", ("qcd", "top"), truth, moving)
    assert alike[truth == 0].sum() == pytest.approx(alike[truth == 1].sum())
    for reweight in ("flat", "top"):
        weight, _ = training_weight(reweight, ("qcd", "top"), truth, moving)
        spectra = [np.histogram(pt[truth == k], [300, 350, 400, 500], weights=weight[truth == k])[0] for k in (0, 1)]
        np.testing.assert_allclose(spectra[0] / spectra[0].sum(), spectra[1] / spectra[1].sum(), atol=0.04)
    assert weight.mean() == pytest.approx(1.0)
    with pytest.raises(SettingsError, match="reweight must be none, classes, flat"):
        training_weight("signal", ("qcd", "top"), truth, moving)
