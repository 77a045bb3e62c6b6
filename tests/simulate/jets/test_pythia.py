"""Jets of Pythia: labels by matching, chunks that are kept, and beside the fast generator the same physics."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lynkeus.core import Batch, SettingsError
from lynkeus.files.workers import several_processes
from lynkeus.simulate.jets import make
from lynkeus.simulate.jets.cache import cache_folder
from lynkeus.simulate.jets.chunk import batch_of
from lynkeus.simulate.jets.make import make_chunks
from lynkeus.simulate.jets.pythia import jets as pythia_jets
from lynkeus.simulate.jets.pythia.events import Seeds
from lynkeus.simulate.jets.pythia.jets import Asked, make_jets
from lynkeus.simulate.jets.pythia.match import leading, nearest, reach
from lynkeus.simulate.jets.shower import jets as fast
from lynkeus.simulate.jets.source import JetSource

pytest.importorskip("pythia8mc")
pytest.importorskip("fastjet")
EACH = 60


def at(*places: tuple[float, float, float]) -> np.ndarray:
    """Massless four-vectors of pt, eta, phi."""
    pt, eta, phi = np.array(places).T
    return np.stack([pt * np.cos(phi), pt * np.sin(phi), pt * np.sinh(eta), pt * np.cosh(eta)], axis=1)


def seeds(event: list[int], p: np.ndarray, flavour: list[int]) -> Seeds:
    return Seeds(np.array(event), p, np.array(flavour), np.zeros((len(p), 0, 4)), np.full(len(p), -1))


def test_a_parton_has_the_nearest_jet_of_its_event_across_the_edge_of_phi() -> None:
    jets = at((100, 0.0, 3.1), (100, 0.2, 3.1), (100, 1.0, 0.0), (100, 1.0, 0.0))
    found = seeds([0, 0, 1], at((90, 0.05, -3.1), (80, 2.0, 0.0), (70, 1.1, 0.0)), [1, 21, 2])
    assert nearest(jets, np.array([0, 0, 1, 2]), found, 0.4).tolist() == [0, -1, 2, -1]


def test_hadrons_give_flavour_b_before_c() -> None:
    jets = at((100, 0.0, 0.0), (100, 2.0, 0.0))
    hadrons = seeds([0, 0, 0], at((30, 0.1, 0.0), (40, 0.0, 0.1), (20, 0.0, 0.1)), [4, 5, 5])
    flavour, b_pt = leading(jets, np.array([0, 0]), hadrons, 0.3)
    assert flavour.tolist() == [5, 0]
    np.testing.assert_allclose(b_pt, [40, 0])
    assert reach(jets, np.stack([at((1, 0.3, 0.0), (1, 2.0, 0.4)), at((1, 0.0, 0.1), (1, 2.0, 0.0))], axis=1)) == (
        pytest.approx([0.3, 0.4])
    )


@pytest.mark.parametrize("package", ["pythia8mc", "fastjet"])
def test_what_is_not_installed_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, package: str) -> None:
    monkeypatch.setenv("LYNKEUS_CACHE", str(tmp_path))
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(SettingsError, match=rf"generator=pythia needs {package}: pip install 'lynkeus\[jets\]'"):
        next(iter(JetSource(n=5, generator="pythia")))


@pytest.mark.slow(5)
def test_jets_that_no_collision_has_are_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("LYNKEUS_CACHE", str(tmp_path))
    monkeypatch.setattr(pythia_jets, "PATIENCE", 40)
    monkeypatch.setattr(pythia_jets, "MOST", 40)
    with pytest.raises(SettingsError, match=r"0 jets of the class top at pt=50-60 GeV within radius=0\.4; take"):
        next(iter(JetSource("top", "50-60", n=5, radius=0.4, generator="pythia")))


@pytest.fixture(scope="session")
def both() -> dict[str, dict[str, Batch]]:
    """Jets of each class by both generators."""
    made: dict[str, dict[str, Batch]] = {"pythia": {}, "shower": {}}
    for classes, pt in (("top,qcd", "550-650"), ("b,light,gluon", "80-120")):
        plan = JetSource(classes, pt, generator="pythia").plan
        asked = Asked(plan.wanted, plan.variation.response, plan.variation.pythia)
        for k, name in enumerate(plan.wanted.classes):
            label = np.full(EACH, k)
            made["pythia"][name] = batch_of(make_jets(label, asked, (1, k)), label, plan)
            label = np.full(4 * EACH, k)
            rng = np.random.default_rng([1, k])
            jets = fast.make_jets(label, plan.wanted, plan.variation.fast, plan.variation.response, rng)
            made["shower"][name] = batch_of(jets, label, plan)
    return made


def correlation(batch: Batch) -> np.ndarray:
    """C2 (beta = 1) of Larkoski, Salam, Thaler (2013), of the 40 leading particles: ECF(3) ECF(1) / ECF(2)^2."""
    values, mask = batch.values.padded("particles", 40)
    names = [name.partition("/")[2] for name in batch.schema.names]
    px, py, eta, phi = (
        values[:, :, names.index(f"part_{name}")].astype(float) for name in ("px", "py", "deta", "dphi")
    )
    pt = np.where(mask, np.hypot(px, py), 0.0)
    apart = np.hypot(eta[:, :, None] - eta[:, None], phi[:, :, None] - phi[:, None])
    two = pt[:, :, None] * pt[:, None] * apart
    three = np.einsum("ni,nj,nk,nij,nik,njk->n", pt, pt, pt, apart, apart, apart, optimize=True) / 6
    return three * pt.sum(axis=1) / np.maximum(two.sum(axis=(1, 2)) / 2, 1e-9) ** 2


@pytest.mark.slow(40)
def test_both_generators_have_the_same_physics(both: dict[str, dict[str, Batch]]) -> None:
    """Medians of mass within 35 %, mean multiplicities within 25 %, mean C2 within 30 %: of 200 jets a class they are
    within 20, 14 and 15 %, and 60 jets add 5 to 10 %."""
    for name, slow in both["pythia"].items():
        quick = both["shower"][name]
        mass = [np.median(one.meta["jet_mass"]) for one in (slow, quick)]
        sizes = [one.meta["jet_nparticles"].mean() for one in (slow, quick)]
        shape = [np.mean(correlation(one)) for one in (slow, quick)]
        assert mass[1] == pytest.approx(mass[0], rel=0.35), name
        assert sizes[1] == pytest.approx(sizes[0], rel=0.25), name
        assert shape[1] == pytest.approx(shape[0], rel=0.3), name
        assert quick.schema == slow.schema
        assert set(quick.meta) == set(slow.meta)


@pytest.mark.slow(40)
def test_labels_of_pythia_are_what_is_in_the_jets(both: dict[str, dict[str, Batch]]) -> None:
    found = both["pythia"]
    assert np.median(found["top"].meta["jet_mass"]) == pytest.approx(172.5, abs=10)
    assert (found["b"].meta["truth_b_pt"] > 5).all()
    assert not found["light"].meta["truth_b_pt"].any()
    sizes = {name: batch.meta["jet_nparticles"].mean() for name, batch in found.items()}
    assert sizes["gluon"] > 1.2 * sizes["light"]
    vertices = {name: (batch.values.groups["vertices"].lengths > 0).mean() for name, batch in found.items()}
    assert vertices["b"] > 0.5 > 0.15 > vertices["light"]


@pytest.mark.slow(8)
def test_chunks_are_kept_and_the_same_by_two_processes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LYNKEUS_CACHE", str(tmp_path))
    plan = replace(JetSource("muon", "40-60", generator="pythia", seed=3).plan, chunk=12)
    with several_processes():
        first, second = make_chunks(plan, 2)
    assert len(first) == len(second) == 12
    assert not np.array_equal(first.meta["jet_pt"], second.meta["jet_pt"])
    folder = cache_folder(plan)
    assert sorted(path.name for path in folder.iterdir()) == ["000000.npz", "000001.npz", "settings.json"]
    monkeypatch.setattr(make, "make_chunk", None)  # nothing is made again
    (again,) = make_chunks(plan, 1)
    for name in ("particles", "vertices"):
        np.testing.assert_array_equal(first.values.groups[name].values, again.values.groups[name].values)
    assert set(first.meta) == set(again.meta)
    (folder / "000000.npz").write_bytes(b"cut short")
    monkeypatch.undo()
    monkeypatch.setenv("LYNKEUS_CACHE", str(tmp_path))
    (made,) = make_chunks(plan, 1)
    np.testing.assert_allclose(made.meta["jet_pt"], first.meta["jet_pt"], rtol=1e-6)
    assert cache_folder(replace(plan, seed=4)) != folder
