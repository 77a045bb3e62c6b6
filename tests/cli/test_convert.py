"""lynkeus convert: a file of weaver's weights becomes a model that scores as weaver does, and goes back."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from lynkeus.networks.taggers.particle_net import LITE, ParticleNet, ParticleNetSizes
from lynkeus.networks.taggers.particle_transformer import ParticleTransformer, ParticleTransformerSizes
from lynkeus.networks.taggers.weaver import read_weights, to_weaver, write_weights
from lynkeus.scorers.taggers.particle_transformer import LITE as SMALL

LAYOUT = """
new_variables:
  part_mask: ak.ones_like(part_px)
  part_pt: np.hypot(part_px, part_py)
  part_pt_log: np.log(part_pt)
preprocess: {method: manual}
inputs:
  pf_points: {length: 32, vars: [[part_deta, null], [part_dphi, null]]}
  pf_features: {length: 32, vars: [[part_pt_log, 1.0, 0.5], [part_charge, null], [part_deta, null], [part_dphi, null]]}
  pf_vectors: {length: 32, vars: [[part_px, null], [part_py, null], [part_pz, null], [part_energy, null]]}
  pf_mask: {length: 32, vars: [[part_mask, null]]}
labels: {type: simple, value: [label_qcd, label_top]}
observers: [jet_pt]
"""
FEATURES, JETS = 4, 240


class Case(NamedTuple):
    """Jets in a file, weaver's layout of them, weights of a ParticleNet-Lite, and what it reads of each jet, padded."""

    jets: Path
    layout: Path
    weights: Path
    points: torch.Tensor
    features: torch.Tensor
    vectors: torch.Tensor
    mask: torch.Tensor


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Case:
    folder = tmp_path_factory.mktemp("weaver")
    rng = np.random.default_rng(0)
    top = np.arange(JETS) % 2
    lengths = rng.integers(3, 20, JETS)
    rows = int(lengths.sum())
    deta, dphi = rng.normal(0, 0.2 + 0.2 * np.repeat(top, lengths), (2, rows)).astype(np.float32)
    pt, charge = (1 + rng.exponential(20, rows)).astype(np.float32), rng.integers(-1, 2, rows).astype(np.float32)
    columns = {
        "part_px": pt * np.cos(dphi), "part_py": pt * np.sin(dphi), "part_pz": pt * np.sinh(deta),
        "part_energy": pt * np.cosh(deta), "part_deta": deta, "part_dphi": dphi, "part_charge": charge,
    }  # fmt: skip
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
    table = {name: pa.ListArray.from_arrays(offsets, values.astype(np.float32)) for name, values in columns.items()}
    table |= {"label_qcd": 1 - top, "label_top": top, "jet_pt": np.bincount(np.repeat(np.arange(JETS), lengths), pt)}
    pq.write_table(pa.table(table), folder / "jets.parquet")
    (folder / "jets.yaml").write_text(LAYOUT)
    torch.manual_seed(0)
    network = ParticleNet(FEATURES, 2, LITE)
    torch.nn.init.normal_(network.dense[-1].weight)
    write_weights(folder / "net_state.pt", to_weaver(network))
    real = np.arange(32) < lengths[:, None]
    pt_again = np.hypot(columns["part_px"], columns["part_py"])
    padded = np.zeros((10, JETS, 32), np.float32)
    read = (deta, dphi, (np.log(pt_again) - 1.0) * 0.5, charge, deta, dphi, *list(columns.values())[:4])
    for k, values in enumerate(read):
        padded[k][real] = values
    tensors = torch.from_numpy(padded).transpose(0, 1)
    return Case(
        folder / "jets.parquet", folder / "jets.yaml", folder / "net_state.pt",
        tensors[:, :2], tensors[:, 2:6], tensors[:, 6:], torch.from_numpy(real)[:, None],
    )  # fmt: skip


@pytest.mark.slow(6)
def test_a_converted_model_scores_as_weaver_does_and_goes_back(case: Case, lynkeus, tmp_path: Path) -> None:
    done = lynkeus("convert", case.weights, "--layout", case.layout, "-o", "MODEL")
    assert done.code == 0, done
    assert "p-values are 1" in done.err
    assert "26122 parameters, not calibrated" in done.err
    assert lynkeus("score", "MODEL", case.jets, "-o", "scores.parquet").code == 0
    scores = pq.read_table("scores.parquet").to_pandas()
    logging.getLogger("weaver").setLevel(logging.ERROR)
    theirs = pytest.importorskip("weaver.nn.model.ParticleNet").ParticleNet(
        FEATURES, 2, list(LITE.blocks), list(LITE.dense), False
    )
    theirs.load_state_dict(read_weights(case.weights))
    with torch.no_grad():
        expected = theirs.eval()(case.points, case.features, case.mask).softmax(dim=1).numpy()
    assert expected.std(axis=0).min() > 0.001
    np.testing.assert_allclose(scores[["qcd", "top"]].to_numpy(), expected, atol=1e-4)
    assert (scores[["qcd_p_value", "top_p_value"]] == 1).all(axis=None)
    assert lynkeus("convert", "MODEL", "-o", "back_state.pt").code == 0
    back, given = read_weights(Path("back_state.pt")), read_weights(case.weights)
    assert list(back) == list(given)
    assert all(torch.equal(back[name], value) for name, value in given.items())


@pytest.mark.slow(4)
def test_jets_of_known_class_calibrate_it(case: Case, lynkeus, tmp_path: Path) -> None:
    done = lynkeus("convert", case.weights, "--layout", case.layout, "--calibrate", case.jets, "-o", "MODEL")
    assert done.code == 0, done
    assert f"calibrated by {JETS} jets" in done.err
    lineage = json.loads(Path("MODEL/model.json").read_text())["lineage"]
    assert lineage["classes"] == {"qcd": JETS // 2, "top": JETS // 2}
    assert lynkeus("score", "MODEL", case.jets, "-o", "scores.parquet").code == 0
    p_values = pq.read_table("scores.parquet").to_pandas()["top_p_value"]
    assert p_values.min() >= 1 / (1 + JETS // 2)  # no smaller than the jets of the other class support
    assert p_values.min() < 0.2


@pytest.mark.slow(8)
def test_a_particle_transformer_is_converted_and_exported(case: Case, lynkeus, tmp_path: Path) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    torch.manual_seed(0)
    network = ParticleTransformer(FEATURES, 2, SMALL).eval()
    write_weights(Path("part_state.pt"), {f"mod.{name}": value for name, value in to_weaver(network).items()})
    done = lynkeus("convert", "part_state.pt", "--layout", case.layout, "-o", "MODEL")
    assert done.code == 0, done
    assert "MODEL: particle_transformer" in done.err
    done = lynkeus("export", "MODEL", "-o", "part.onnx")
    assert done.code == 0, done
    assert lynkeus("score", "MODEL", case.jets, "-o", "scores.parquet").code == 0
    scores = pq.read_table("scores.parquet").to_pandas()[["qcd", "top"]].to_numpy()
    given = {"features": case.features, "vectors": case.vectors, "mask": case.mask}
    tensors = {name: one.transpose(1, 2).contiguous().numpy() for name, one in given.items()}
    tensors["mask"] = tensors["mask"][:, :, 0]
    session = onnxruntime.InferenceSession("part.onnx", providers=["CPUExecutionProvider"])
    np.testing.assert_allclose(session.run(None, tensors)[0], scores, atol=1e-4)


@pytest.mark.slow(6)
def test_networks_of_other_sizes_than_the_published_are_kept_as_they_are(case: Case, lynkeus, tmp_path: Path) -> None:
    torch.manual_seed(1)
    net = ParticleNet(
        FEATURES, 2, ParticleNetSizes(((4, (8, 8)), (5, (12,)), (3, (6, 6, 6))), ((10, 0.1), (5, 0.1)), True)
    )
    part = ParticleTransformer(FEATURES, 2, ParticleTransformerSizes((16, 24), (8,), 4, 2, 1, ((12, 0.1),)))
    for name, network, more in (("net", net, ("--neighbours", "4,5,3")), ("part", part, ("--pair-activation",))):
        write_weights(Path(f"{name}.pt"), to_weaver(network))
        done = lynkeus("convert", f"{name}.pt", "--layout", case.layout, *more, "-o", name)
        assert done.code == 0, done
        assert lynkeus("score", name, case.jets, "-o", f"{name}.parquet").code == 0
        assert lynkeus("convert", name, "-o", f"{name}_back.pt").code == 0
        back, given = read_weights(Path(f"{name}_back.pt")), to_weaver(network)
        prefix = (
            "mod." if name == "part" else ""
        )  # as the example network has it, that has an activation after its pairs
        assert all(torch.equal(back[prefix + key], value) for key, value in given.items())
    assert lynkeus("convert", "part_back.pt", "--layout", case.layout, "-o", "again").code == 0
    assert lynkeus("score", "again", case.jets, "-o", "again.parquet").code == 0
    once, twice = (pq.read_table(f"{name}.parquet").to_pandas()["top"] for name in ("part", "again"))
    np.testing.assert_allclose(once, twice, atol=1e-5)


def test_bad_input_ends_in_one_line(case: Case, lynkeus, tmp_path: Path) -> None:
    wrong = Path("wrong.yaml")
    wrong.write_text(LAYOUT.replace("[part_charge, null], ", ""))
    auto = Path("auto.yaml")
    auto.write_text(LAYOUT.replace("manual", "auto").replace("[part_pt_log, 1.0, 0.5]", "part_pt_log"))
    more = Path("more.yaml")
    more.write_text(LAYOUT.replace("label_top]", "label_top, label_w]"))
    Path("FOLDER").mkdir()
    Path("other_state.pt").write_bytes(b"no weights")
    weights, layout, out = case.weights, ("--layout", case.layout), ("-o", "MODEL")
    for words, says in (
        ((weights, *out), "--layout: say what the network reads"),
        ((weights, "--layout", "xfel_orbits", *out), "is none of weaver's"),
        ((weights, "--layout", wrong, *out), "the network has 4 features, the layout 3"),
        ((weights, "--layout", more, *out), "the network has 2 classes, the layout 3"),
        ((weights, "--layout", auto, *out), "give the .auto.yaml that weaver wrote"),
        (("absent.pt", *layout, *out), "absent.pt: no such file"),
        (("other_state.pt", *layout, *out), "other_state.pt holds no weights that can be read safely"),
        ((weights, *layout, "--neighbours", "7;7", *out), "give a number for each block"),
        ((weights, *layout, "--neighbours", "7", *out), "1 numbers of neighbours for 2 blocks"),
        ((weights, *layout, "--calibrate", "absent.parquet", *out), "absent.parquet"),
        (("FOLDER", "-o", "back.pt"), "FOLDER"),
        (("FOLDER", *layout, "-o", "back.pt"), "leave them out"),
    ):
        assert says in lynkeus("convert", *words).line, words
    assert not Path("MODEL").exists()
