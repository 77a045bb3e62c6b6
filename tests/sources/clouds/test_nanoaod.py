"""Jets of real NanoAOD and PFNano files by the layouts that are shipped, beside what the files say themselves."""

import os
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from lynkeus.core import Batch, SourceError, concatenate
from lynkeus.sources import open_source

DATA = Path(os.environ.get("LYNKEUS_DATA", "missing")) / "hep"
pytestmark = [
    pytest.mark.slow(15),
    pytest.mark.skipif(not DATA.exists(), reason="the files are in LYNKEUS_DATA"),
]


def read(name: str, layout: str) -> tuple[Batch, list[str]]:
    source = open_source(DATA / name, layout)
    batch = concatenate(list(source))
    return batch[np.lexsort([batch.meta["entry"], batch.meta["position"]])], source.messages


def feature(batch: Batch, name: str) -> np.ndarray:
    group = name.partition("/")[0]
    own = [other for other in batch.schema.names if other.startswith(f"{group}/")]
    return batch.packed.groups[group].values[:, own.index(name)]


@pytest.fixture(scope="module")
def events():
    """Branches of pfnano.root, of all ten events."""
    uproot = pytest.importorskip("uproot")
    with uproot.open(DATA / "pfnano.root") as file:
        return file["Events"].arrays(filter_name=["Jet_*", "JetPFCands_*", "PFCands_*", "JetSVs_*"])


@pytest.fixture(scope="module")
def pfnano() -> tuple[Batch, list[str]]:
    return read("pfnano.root", "pfnano_jets")


def test_the_jets_are_those_of_the_file(pfnano, events) -> None:
    batch, messages = pfnano
    chosen = [
        (event, jet)
        for event in range(len(events))
        for jet, (pt, eta) in enumerate(zip(events["Jet_pt"][event], events["Jet_eta"][event], strict=True))
        if pt > 15 and abs(eta) < 2.5
    ]
    assert list(zip(batch.meta["position"].tolist(), batch.meta["entry"].tolist(), strict=True)) == chosen
    np.testing.assert_allclose(batch.meta["btagDeepFlavB"], [events["Jet_btagDeepFlavB"][e][j] for e, j in chosen])
    assert batch.schema.classes == ("b", "c", "g", "uds")
    flavours = np.array([events["Jet_hadronFlavour"][e][j] for e, j in chosen])
    np.testing.assert_array_equal(batch.truth == 1, flavours == 4)
    assert any("left out by the selection" in line for line in messages)


def test_charged_candidates_have_the_impact_parameters_that_the_file_holds(pfnano, events) -> None:
    """The tracks of the stored DeepCSV inputs are among ours, in the order of their significance, with its value.

    The stored one includes the error of the primary vertex, and ours does not: it is a few percent larger.
    """
    batch, _ = pfnano
    group = batch.packed.groups["charged"]
    ours2d, ours3d = feature(batch, "charged/sip2d_significance"), feature(batch, "charged/sip3d_significance")
    ratios, orders, found, stored = [], [], 0, 0
    for k in range(len(batch)):
        event, jet = int(batch.meta["position"][k]), int(batch.meta["entry"][k])
        rows = slice(*group.offsets[k : k + 2])
        at = []
        for track in range(6):
            sig3d = float(events[f"Jet_DeepCSV_trackSip3dSig_{track}"][event][jet])
            sig2d = float(events[f"Jet_DeepCSV_trackSip2dSig_{track}"][event][jet])
            links = np.asarray(events["JetPFCands_btagSip3dSig"][event])
            links = links[np.asarray(events["JetPFCands_jetIdx"][event]) == jet]
            if not 0.5 < sig3d < 1e4 or not np.isclose(links, sig3d, rtol=2e-3).any():
                continue  # padding, what DeepJet bounds, and tracks of no candidate of the jet
            stored += 1
            same = np.flatnonzero(np.isclose(ours3d[rows], sig3d, rtol=2e-3))
            if len(same):
                found += 1
                at.append(int(same[0]))
                if sig2d > 0.5:
                    ratios.append(ours2d[rows][same[0]] / sig2d)
        orders.append(at == sorted(at))
    assert stored > 60
    assert found / stored > 0.95  # others are beyond the first 25
    assert 1.0 < np.median(ratios) < 1.05
    assert np.percentile(np.abs(np.array(ratios) - 1), 90) < 0.15
    assert np.mean(orders) > 0.9


def test_track_quantities_are_those_of_deepcsv(pfnano, events) -> None:
    """Angle to the jet, momentum across it and distance to its axis, in the units of the stored inputs."""
    batch, _ = pfnano
    group = batch.packed.groups["charged"]
    names = {"track_delta_r": "trackDeltaR", "track_pt_rel": "trackPtRel", "jet_distance": "trackJetDistVal"}
    ours = {name: feature(batch, f"charged/{name}") for name in ("sip3d_significance", *names)}
    pairs: dict[str, list[tuple[float, float]]] = {name: [] for name in names}
    for k in range(len(batch)):
        event, jet = int(batch.meta["position"][k]), int(batch.meta["entry"][k])
        rows = slice(*group.offsets[k : k + 2])
        for track in range(6):
            sig3d = float(events[f"Jet_DeepCSV_trackSip3dSig_{track}"][event][jet])
            same = np.flatnonzero(np.isclose(ours["sip3d_significance"][rows], sig3d, rtol=2e-3))
            if not 0.5 < sig3d < 1e4 or len(same) != 1:
                continue
            for name, theirs in names.items():
                own = float(events[f"Jet_DeepCSV_{theirs}_{track}"][event][jet])
                pairs[name].append((ours[name][rows][same[0]], own))
    for name, tolerance in {"track_delta_r": 5e-4, "track_pt_rel": 2e-3, "jet_distance": 1e-5}.items():
        mine, theirs = np.array(pairs[name]).T
        assert len(mine) > 40
        assert np.median(np.abs(mine - theirs)) < tolerance, name
        assert np.corrcoef(mine, np.clip(theirs, -20, 4))[0, 1] > 0.999, name


def test_vertices_are_in_order_and_relative_to_the_same_jet(pfnano, events) -> None:
    batch, _ = pfnano
    group = batch.packed.groups["vertices"]
    significance = feature(batch, "vertices/dxy_significance")
    for first, last in pairwise(group.offsets):
        assert (np.diff(significance[first:last]) <= 0).all()
    assert group.lengths.max() <= 4
    pt, jet_pt = feature(batch, "vertices/pt"), batch.meta["jet_pt"][group.sample]
    ptrel = np.concatenate([
        np.asarray(events["JetSVs_ptrel"][e])[np.asarray(events["JetSVs_jetIdx"][e]) == j][np.argsort(
            -np.asarray(events["JetSVs_dxysig"][e])[np.asarray(events["JetSVs_jetIdx"][e]) == j])][:4]
        for e, j in zip(batch.meta["position"], batch.meta["entry"], strict=True)
    ])  # fmt: skip
    assert len(ptrel) == len(pt) > 20
    assert np.median(pt / jet_pt / ptrel) == pytest.approx(1, abs=0.15)


def test_counts_and_global_quantities(pfnano, events) -> None:
    batch, _ = pfnano
    counts = {name: feature(batch, f"global/{name}_candidates") for name in ("charged", "neutral")}
    for k in range(0, len(batch), 5):
        event, jet = int(batch.meta["position"][k]), int(batch.meta["entry"][k])
        own = np.asarray(events["JetPFCands_pFCandsIdx"][event])[np.asarray(events["JetPFCands_jetIdx"][event]) == jet]
        charge, pt = (np.asarray(events[f"PFCands_{name}"][event])[own] for name in ("charge", "pt"))
        assert counts["charged"][k] == ((charge != 0) & (pt >= 0.95)).sum()
        assert counts["neutral"][k] == ((charge == 0) & (pt >= 0.95)).sum()
        stored = events["Jet_DeepCSV_jetNSelectedTracks"][event][jet]
        assert feature(batch, "global/selected_tracks")[k] == stored
    assert (batch.packed.groups["global"].lengths == 1).all()
    assert len([name for name in batch.schema.names if name.startswith("global/")]) == 15
    assert len([name for name in batch.schema.names if name.startswith("charged/")]) == 16


def test_raw_particles_of_fat_jets_add_up_to_the_jet_before_corrections(columns_of, to_parquet, tmp_path) -> None:
    uproot = pytest.importorskip("uproot")
    batch, _ = read("pfnano.root", "pfnano_fatjets")
    with uproot.open(DATA / "pfnano.root") as file:
        factor = file["Events"]["FatJet_rawFactor"].array()
    raw = 1 - np.array([factor[e][j] for e, j in zip(batch.meta["position"], batch.meta["entry"], strict=True)])
    group = batch.packed.groups["particles"]
    px, py, pz, energy = (
        np.bincount(group.sample, feature(batch, f"particles/part_{name}")) for name in ("px", "py", "pz", "energy")
    )
    np.testing.assert_allclose(np.hypot(px, py), batch.meta["jet_pt"] * raw, rtol=0.01)
    np.testing.assert_allclose(np.sqrt(energy**2 - px**2 - py**2 - pz**2), batch.meta["jet_mass"] * raw, rtol=0.01)
    kinds = [name for name in batch.schema.names if "part_is" in name]
    np.testing.assert_array_equal(np.sum([feature(batch, name) for name in kinds], axis=0), 1)
    # What was fitted on columns part_* reads these as well, in its own order.
    columns = columns_of(5)
    model = open_source(to_parquet(tmp_path / "jets.parquet", columns)).schema
    other = open_source(DATA / "pfnano.root", "pfnano_fatjets", expected=model)
    assert other.schema.difference(model) == ""
    again = concatenate(list(other))
    assert again.truth is None
    assert any("are none of the model" in line for line in other.messages)
    with pytest.raises(
        SourceError, match=r"holds no lists called part_\*.*--layout pfnano_jets or --layout pfnano_fatj"
    ):
        open_source(DATA / "pfnano.root", expected=model)
    np.testing.assert_array_equal(again.packed.groups["particles"].values[:, 0], group.values[:, 0])
    assert again.packed.groups["vertices"].values.shape[1] == 1


@pytest.mark.parametrize(
    ("name", "layout"),
    [
        ("nano_tt_v12.root", "nanoaod_jets"),
        ("nano_dy.root", "nanoaod_jets"),
        ("nanoAOD_2015_CMS_Open_Data_ttbar.root", "nanoaod_jets"),
        ("pfnano.root", "nanoaod_fatjets"),
        ("nano_tt_v12.root", "nanoaod_fatjets"),
    ],
)
def test_versions_of_nanoaod_are_read_by_one_layout(name, layout) -> None:
    batch, messages = read(name, layout)
    assert (batch.packed.groups["global"].lengths == 1).all()
    assert np.isfinite(feature(batch, "global/log_pt")).all()
    np.testing.assert_allclose(np.exp(feature(batch, "global/log_pt")), batch.meta["jet_pt"], rtol=1e-4)
    assert batch.truth.max() <= 2
    if name == "nano_tt_v12.root":
        assert any("no vertices" in line for line in messages)
        assert ("btagPNetB" in batch.meta) == (layout == "nanoaod_jets")
    if name == "pfnano.root":
        near = feature(batch, "vertices/delta_r")
        assert near.max() < 0.8
        assert batch.packed.groups["subjets"].lengths.max() == 2


def test_two_versions_at_once_are_read_by_what_both_have(tmp_path) -> None:
    for name in ("nano_tt_v12.root", "nano_dy.root"):
        (tmp_path / name).symlink_to(DATA / name)
    batch, messages = read(tmp_path, "nanoaod_jets")
    assert set(batch.meta["file"].tolist()) == {0, 1}
    assert "btagDeepFlavB" in batch.meta
    assert "btagPNetB" not in batch.meta
    assert any("nano_tt_v12.root: no vertices" in line for line in messages)


def test_the_wrong_layout_says_what_is_missing() -> None:
    with pytest.raises(SourceError, match=r"nano_dy\.root: has no branch JetPFCands_jetIdx.*pfnano_jets"):
        open_source(DATA / "nano_dy.root", "pfnano_jets")
    with pytest.raises(SourceError, match=r"nano_dy\.root: has no branch part_deta"):
        open_source(DATA / "nano_dy.root", "jetclass")
