"""weaver's data configuration gives what weaver itself makes of it, but for the padding."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from lynkeus.core import SettingsError, SourceError, concatenate
from lynkeus.sources import open_source, read_layout
from lynkeus.sources.wrappers.wrapper import innermost

CONFIG = """
selection: (jet_pt > 510) & (ak.num(part_px) > 2) & (part_pt_first > 0.05)
test_time_selection: jet_pt > 505
new_variables:
  part_pt: np.hypot(part_px, part_py)
  part_pt_log: np.log(part_pt)
  part_logerel: np.log(part_energy / jet_pt)
  part_pt_first: ak.fill_none(ak.firsts(np.hypot(part_px, part_py)), 0)
  part_mask: ak.ones_like(part_px)
  label_qcd: label == 0
  label_top: label == 1
  jet_pt_scaled: jet_pt / 100
  same: same
preprocess: {method: METHOD, data_fraction: 0.4}
inputs:
  pf_points:
    length: 12
    vars: [[part_deta, null]]
  pf_features:
    length: 12
    pad_mode: constant
    vars:
      - [part_pt_log, 0.2, 0.7, -2, 1.5, -9]
      - part_logerel
      - [part_deta, null]
  sv_features:
    length: 2
    vars:
      - [sv_mass, 1, 0.5]
  jet_features:
    length: 1
    vars: [[jet_pt_scaled, 5, 2]]
  pf_mask:
    length: 12
    vars: [[part_mask, null]]
labels:
  type: simple
  value: [label_qcd, label_top]
observers: [jet_pt, jet_nparticles]
"""
FLAT = """
weights:
  use_precomputed_weights: false
  reweight_method: flat
  reweight_vars: {jet_pt: [500, 520, 550, 590], jet_nparticles: [0, 8, 20, 40]}
  reweight_classes: [label_qcd, label_top]
  class_weights: [1, 2]
  reweight_threshold: 15
"""


@pytest.fixture(scope="module")
def files(tmp_path_factory, jets) -> Path:
    """Two files, of which neither is a multiple of a piece."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    folder = tmp_path_factory.mktemp("weaver")
    numbers = dict(jets) | {"label": [int(word == "top") for word in jets["label"]], "w": np.linspace(0.5, 2, 1500)}
    whole = pa.table(numbers)
    pq.write_table(whole.slice(0, 1100), folder / "a.parquet", row_group_size=300)
    pq.write_table(whole.slice(1100), folder / "b.parquet")
    return folder


@pytest.fixture
def written(tmp_path):
    """`written(more="", method="manual", config=CONFIG)`: a configuration as a file."""

    def write(more: str = "", method: str = "manual", config: str = CONFIG) -> Path:
        path = tmp_path / "jets.yaml"
        path.write_text(config.replace("METHOD", method) + more)
        return path

    return write


def of_weaver(config: Path, folder: Path, training: bool):
    """What weaver loads: its configuration, and the arrays of inputs, labels and observers."""
    pytest.importorskip("weaver")
    from weaver.utils.data.config import DataConfig
    from weaver.utils.dataset import _load_next

    paths = [str(path) for path in sorted(folder.iterdir())]
    held = config if isinstance(config, DataConfig) else DataConfig.load(str(config), load_observers=not training)
    options = {"training": training, "mode": "train" if training else "test", "reweight": False, "shuffle": False}
    return held, _load_next(held, paths, None, options)[0], paths


def read_in_order(folder: Path, config: Path, training: bool = False):
    """Ours, in the order of the files."""
    source = open_source(folder, config)
    if not training:
        source = open_source(folder, config, expected=source.schema)
    batch = concatenate(list(source))
    order = np.lexsort([batch.meta["position"], batch.meta["file"]])
    return batch[order], source


def compare(batch, expected, lengths) -> None:
    for group, length in lengths.items():
        values, mask = batch.packed.padded(group, length)
        theirs = np.moveaxis(expected[f"_{group}"], 1, 2)
        np.testing.assert_allclose(np.where(mask[:, :, None], theirs, 0), values, rtol=2e-6, atol=2e-6)


LENGTHS = {"pf_points": 12, "pf_features": 12, "sv_features": 2, "jet_features": 1}


@pytest.mark.parametrize("training", [True, False])
def test_inputs_labels_and_selections_are_those_of_weaver(files, written, training) -> None:
    _, expected, _ = of_weaver(written(), files, training)
    batch, source = read_in_order(files, written(), training)
    assert 0 < len(batch) < 1500
    assert len(batch) == len(expected["_label_"])
    np.testing.assert_array_equal(batch.truth, expected["_label_"])
    assert batch.schema.classes == ("qcd", "top")
    assert batch.schema.names[:2] == ("pf_points/part_deta", "pf_features/part_pt_log")
    compare(batch, expected, LENGTHS)
    mask = batch.packed.padded("pf_features", 12)[1]
    np.testing.assert_array_equal(mask, expected["_pf_mask"][:, 0] > 0)
    if not training:
        np.testing.assert_allclose(batch.meta["jet_pt"], expected["jet_pt"])
    assert any("left out by the selection" in line for line in source.messages)


def test_automatic_standardisation_is_that_of_weaver(files, written) -> None:
    pytest.importorskip("weaver")
    from weaver.utils.data.preprocess import AutoStandardizer

    config, _, paths = of_weaver(written(), files, True)
    from weaver.utils.data.config import DataConfig

    config = DataConfig.load(str(written(method="auto")), load_observers=False)
    theirs = AutoStandardizer(paths, config).produce()
    batch, source = read_in_order(files, written(method="auto"), training=True)
    rules = innermost(source).layout["weaver"]["preprocess"]["params"]
    assert rules["part_logerel"]["center"] == pytest.approx(
        theirs.preprocess_params["part_logerel"]["center"], rel=1e-5
    )
    assert rules["part_logerel"]["scale"] == pytest.approx(theirs.preprocess_params["part_logerel"]["scale"], rel=1e-5)
    assert rules["part_pt_log"]["center"] == 0.2
    assert rules["part_deta"]["center"] is None
    _, expected, _ = of_weaver(theirs, files, True)
    compare(batch, expected, LENGTHS)


@pytest.mark.parametrize("change", ["", "ref", "base", "clip"])
def test_weights_are_those_of_weaver(files, written, monkeypatch, change) -> None:
    pytest.importorskip("weaver")
    from weaver.utils.data import preprocess
    from weaver.utils.data.config import DataConfig
    from weaver.utils.data.fileio import _read_files

    more = FLAT.replace("flat", "ref") if change == "ref" else FLAT
    more += "  reweight_basewgt: w * 2\n" if change == "base" else ""
    more += "  reweight_discard_under_overflow: false\n" if change == "clip" else ""
    monkeypatch.setattr(preprocess.time, "sleep", lambda seconds: None)  # it waits for who reads its warnings
    paths = [str(path) for path in sorted(files.iterdir())]
    config = preprocess.WeightMaker(paths, DataConfig.load(str(written(more)), load_observers=False)).produce()
    table = _read_files(paths, config.train_load_branches | {"label", "jet_pt"})
    table = preprocess._apply_selection(table, config.selection, funcs=config.var_funcs)
    theirs = preprocess._build_weights(preprocess._build_new_variables(table, config.train_var_funcs), config)
    batch, source = read_in_order(files, written(more), training=True)
    np.testing.assert_allclose(batch.weight, theirs, rtol=1e-4, atol=1e-7)
    assert len(np.unique(batch.weight)) > 5
    assert any("spectra of jet_pt and jet_nparticles" in line for line in source.messages)


def test_the_layout_of_a_model_needs_no_second_look_at_the_training_data(files, written) -> None:
    from lynkeus.sources import Layout

    first = innermost(open_source(files, written(FLAT, "auto")))
    kept = Layout.from_dict(first.layout)
    again = innermost(open_source(files, kept))
    assert not any("standardised by" in line or "weights by" in line for line in again.messages)
    assert again.layout == first.layout
    one, other = next(iter(first)), next(iter(again))
    np.testing.assert_allclose(one.weight, other.weight)
    np.testing.assert_array_equal(one.packed.groups["pf_features"].values, other.packed.groups["pf_features"].values)
    assert open_source(files, kept, expected=first.schema).schema == first.schema


def test_precomputed_weights_custom_labels_and_magic(files, written) -> None:
    config = CONFIG.replace("type: simple", "type: custom").replace(
        "value: [label_qcd, label_top]", "value: {kind: 'np.where(label == 1, 2, 0)'}"
    )
    more = "weights: {use_precomputed_weights: true, weight_branches: [w, is_b]}\n"
    more += "file_magic: {is_b: {'b.parquet$': 3, '.*': 1}}\nbranch_magic: {PART: part}\n"
    batch, source = read_in_order(files, written(more, config=config.replace("part_deta", "PART_deta")), training=True)
    assert batch.schema.classes == ("0", "1", "2")
    assert set(batch.truth.tolist()) == {0, 2}
    w = np.linspace(0.5, 2, 1500)[batch.meta["position"] + 1100 * batch.meta["file"]]
    np.testing.assert_allclose(batch.weight, w * np.where(batch.meta["file"] == 1, 3, 1))
    assert any("no sample of class 1" in line for line in source.messages)
    assert "pf_points/PART_deta" in batch.schema.names


def test_data_without_labels_are_read_at_test_time(tmp_path, files, written, columns_of, to_parquet) -> None:
    schema = open_source(files, written()).schema
    columns = columns_of(20)
    del columns["label"]
    source = open_source(to_parquet(tmp_path / "data.parquet", columns), written(), expected=schema)
    assert concatenate(list(source)).truth is None
    assert any("no labels" in line for line in source.messages)


def test_a_branch_that_is_not_there_is_named_with_what_needs_it(tmp_path, written, columns_of, to_parquet) -> None:
    columns = columns_of(20) | {"label": np.arange(20) % 2}
    columns["part_En"] = columns.pop("part_energy")
    path = to_parquet(tmp_path / "other.parquet", columns)
    with pytest.raises(SourceError, match=r"other\.parquet: has no branch part_energy, which part_logerel needs"):
        open_source(path, written())


def test_values_that_are_no_numbers_become_0_and_are_counted(tmp_path, written, columns_of, to_parquet) -> None:
    columns = columns_of(20, sizes=[5] * 20) | {"label": np.arange(20) % 2}
    columns["part_deta"][3][:2] = np.nan
    path = to_parquet(tmp_path / "nan.parquet", columns)
    batch, source = read_in_order(path, written())
    assert np.isfinite(batch.packed.groups["pf_features"].values).all()
    assert any("became 0" in line for line in source.messages)


BROKEN = {
    "inptus: {}": "inptus: no such field; nearest is inputs",
    "selection: jet_pt >": "selection: 'jet_pt >': cannot be read",
    "selection: __import__('os')": "__import__ is no function",
    "observers: jet_pt": "observers: must be a list of names",
    "monitor_variables: [jet_pt]": "cannot both be given",
    "preprocess: {method: magic}": "preprocess.method: must be manual or auto",
    "preprocess: {data_fraction: 7}": "data_fraction: must be above 0",
    "labels: {type: simple, value: [a]}": "labels.value: must be a list of two",
    "labels: {}": "labels: needs a type",
    "weights: {use_precomputed_weights: false}": "reweight_vars: must be two variables",
    "weights: 3": "weights: must be a table",
    "inputs: {a: {length: -1, vars: [x]}}": "inputs.a.length: must be a whole number",
    "inputs: {a: {length: 3, vars: [[x, y]]}}": "subtract_by of x: must be a number, got 'y'",
    "inputs: {a: {length: 3, vars: [x]}, b: {length: 4, vars: [x]}}": "x has other numbers in another group",
    "inputs: {a_mask: {length: 3, vars: [x]}}": "no group of inputs beside masks",
    "inputs: 3": "inputs: must be a table",
    "new_variables: {a: lambda}": "cannot be read",
    "new_variables: [a]": "new_variables: must be a table",
    "3: 4": "3 is no name",
    "selection: 2020-01-01": "put it in quotes",
    "selection: [": "is not valid YAML in line",
    "selection: !!python/object/apply:os.system ['true']": "is not valid YAML",
}


@pytest.mark.parametrize(("change", "says"), BROKEN.items(), ids=range(len(BROKEN)))
def test_what_is_wrong_in_a_configuration_is_one_line(written, change, says) -> None:
    key = change.partition(":")[0]
    lines, skip = [], False
    for line in CONFIG.splitlines():
        skip = line.startswith(f"{key}:") or (skip and line.startswith(" "))
        lines += [] if skip else [line]
    path = written(config="\n".join([*lines, change]) + "\n")
    with pytest.raises(SettingsError) as raised:
        read_layout(path)
    said = str(raised.value)
    assert says in said
    assert said.startswith(str(path))
    assert "\n" not in said


def test_anchors_that_grow_without_end_are_refused(written) -> None:
    lines = ["a: &a [x, x, x, x, x, x, x, x, x, x]"]
    names = "abcdefgh"
    for one, other in pairwise(names):
        lines.append(f"{other}: &{other} [{', '.join([f'*{one}'] * 10)}]")
    with pytest.raises(SettingsError, match="more than 100000 values"):
        read_layout(written(config="\n".join(lines)))


@pytest.mark.parametrize("layout", ["jetclass", "top_landscape"])
def test_shipped_configurations_are_those_that_weaver_reads(tmp_path, layout, columns_of, to_parquet) -> None:
    from importlib import resources

    rng = np.random.default_rng(5)
    columns = columns_of(60, sizes=rng.integers(1, 150, 60))
    lengths = [len(own) for own in columns["part_px"]]
    for name in (
        "dphi",
        "d0val",
        "d0err",
        "dzval",
        "dzerr",
        "charge",
        "isChargedHadron",
        "isNeutralHadron",
        "isPhoton",
    ):
        columns[f"part_{name}"] = [rng.normal(size=n).astype(np.float32) for n in lengths]
    columns |= {f"part_{name}": columns["part_charge"] for name in ("isElectron", "isMuon")}
    columns |= {f"jet_{name}": np.full(60, 700.0) for name in ("energy", "eta", "phi", "mass", "sdmass")}
    columns |= {f"jet_tau{k}": np.full(60, 0.1) for k in range(1, 5)}
    columns["label"] = np.arange(60) % 2
    names = ["QCD", "Hbb", "Hcc", "Hgg", "H4q", "Hqql", "Zqq", "Wqq", "Tbqq", "Tbl"]
    columns |= {f"label_{name}": np.asarray(np.arange(60) % 10 == k, int) for k, name in enumerate(names)}
    folder = tmp_path / "jets"
    folder.mkdir()
    to_parquet(folder / "jets.parquet", columns)
    config = Path(str(resources.files("lynkeus.sources") / "layouts" / f"{layout}.yaml"))
    _, expected, _ = of_weaver(config, folder, False)
    batch, _ = read_in_order(folder, layout)
    compare(batch, expected, {"pf_points": 128, "pf_features": 128, "pf_vectors": 128})
    np.testing.assert_array_equal(batch.truth, expected["_label_"])
    assert len(batch.schema.names) == (23 if layout == "jetclass" else 13)
    assert set(batch.meta) >= {"jet_pt", "jet_nparticles"}
