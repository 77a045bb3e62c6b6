"""Jets on the command line: a layout of weaver that the model remembers, and options that have no meaning for them."""

import json

import numpy as np
import pyarrow.parquet as pq
import pytest

import lynkeus as package

YAML = """
selection: jet_pt > 520
test_time_selection: jet_pt > 510
new_variables: {is_qcd: "label == 'qcd'", is_top: "label == 'top'", rel: np.log(part_energy)}
preprocess: {method: auto, data_fraction: 1}
inputs:
  pf_features: {length: 20, vars: [rel]}
  pf_vectors: {length: 20, vars: [[part_px, null], [part_py, null], [part_pz, null], [part_energy, null]]}
labels: {type: simple, value: [is_qcd, is_top]}
observers: [jet_pt]
weights:
  use_precomputed_weights: false
  reweight_method: flat
  reweight_vars: {jet_pt: [520, 560, 600], jet_nparticles: [0, 15, 40]}
  reweight_classes: [is_qcd, is_top]
"""


@pytest.fixture(scope="module")
def tagger(tmp_path_factory, parquet):
    """A model by the configuration, and the file that it was fitted on."""
    folder = tmp_path_factory.mktemp("tagger")
    (folder / "jets.yaml").write_text(YAML)
    model = package.fit(parquet, "jet_observables", layout=folder / "jets.yaml")
    model.save(folder / "MODEL")
    return folder / "MODEL", parquet, model


@pytest.mark.slow(5)
def test_a_model_remembers_the_configuration_and_what_was_learned(tagger, tmp_path, lynkeus, jets, columns_of, to_root):
    folder, parquet, model = tagger
    kept = json.loads((folder / "model.json").read_text())["view"]["layout"]["weaver"]
    assert kept["preprocess"]["params"]["rel"]["center"] != "auto"
    assert set(kept["weights"]["reweight_hists"]) == {"is_qcd", "is_top"}
    data = to_root(tmp_path / "data.root", columns_of(200, 9))  # without labels
    done = lynkeus("score", str(folder), str(data), "-o", str(tmp_path / "scores.parquet"))
    assert done.code == 0, done.err
    table = pq.read_table(tmp_path / "scores.parquet").to_pydict()
    pt = columns_of(200, 9)["jet_pt"]
    assert table["row"] == np.flatnonzero(pt > 510).tolist()
    np.testing.assert_allclose(table["jet_pt"], pt[pt > 510])
    np.testing.assert_allclose(np.add(table["is_qcd"], table["is_top"]), 1, atol=1e-6)
    assert "left out by the selection" in done.err
    with pytest.warns(UserWarning, match="left out by the selection"):
        in_python = model.score(parquet)
    np.testing.assert_allclose(in_python["jet_pt"], jets["jet_pt"][jets["jet_pt"] > 510])


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--window", "10"), "--window: clouds such as jets are no rows in time"),
        (("--axes", "channel,time"), "--axes channel,time: clouds of particles have no such axes"),
        (("--labels", "nope"), "has no column nope"),
        (("--weights", "jet_pd"), "has no jet_pd, which --weights needs; nearest is jet_pt"),
        (("--layout", "jetclass"), "has no branch part_dphi"),
        (("--layout", "missing.yaml"), "missing.yaml: the layout cannot be read"),
        (("--layout", "jetklass"), "no layout called 'jetklass'"),
    ],
)
def test_options_that_do_not_fit_are_one_line(parquet, tmp_path, lynkeus, options, says) -> None:
    done = lynkeus("fit", str(parquet), "-s", "jet_observables", "-o", str(tmp_path / "M"), *options)
    assert done.code == 2
    assert says in done.err
    assert "Traceback" not in done.err
    assert not (tmp_path / "M").exists()


def test_jets_fit_no_bundle(parquet, tmp_path, lynkeus) -> None:
    done = lynkeus("bundle", str(parquet), str(tmp_path / "B"))
    assert done.code == 2
    assert "fit no bundle" in done.err
