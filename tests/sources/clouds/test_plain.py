"""Files with lists `part_*` and `sv_*` are read without a layout, whatever their format."""

from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.feather
import pytest

from lynkeus.core import Batch, SourceError, concatenate
from lynkeus.sources import open_source

FEATURES = ("part_px", "part_py", "part_pz", "part_energy", "part_deta")


def read(data: object, **options) -> tuple[Batch, list[str]]:
    source = open_source(data, **options)
    return concatenate(list(source)), source.messages


def in_order(data: object, **options) -> tuple[Batch, list[str]]:
    """As a model reads them."""
    return read(data, expected=open_source(data, **options).schema, **options)


def test_a_parquet_file_is_read_as_particles_and_vertices(parquet, jets) -> None:
    batch, messages = in_order(parquet)
    assert batch.schema.kind == "cloud"
    assert batch.schema.names == (*(f"particles/{name}" for name in FEATURES), "vertices/sv_mass")
    assert batch.schema.units[:5] == ("GeV", "GeV", "GeV", "GeV", "")
    assert batch.schema.classes == ("qcd", "top")
    particles = batch.packed.groups["particles"]
    assert particles.lengths.tolist() == [len(own) for own in jets["part_px"]]
    for k, name in enumerate(FEATURES):
        np.testing.assert_array_equal(particles.values[:, k], np.concatenate(jets[name]))
    np.testing.assert_array_equal(batch.truth, np.arange(1500) % 2)
    np.testing.assert_array_equal(batch.meta["jet_pt"], jets["jet_pt"])
    np.testing.assert_array_equal(batch.meta["position"], np.arange(1500))
    assert not messages


def test_feather_awkward_and_root_files_hold_the_same(tmp_path, parquet, jets, to_root) -> None:
    ak = pytest.importorskip("awkward")
    expected = open_source(parquet).schema
    whole, _ = read(parquet, expected=expected)
    pa.feather.write_feather(pa.table(jets), tmp_path / "jets.feather", chunksize=400)
    records = {name: ak.Array(jets[name]) for name in (*FEATURES, "sv_mass")}
    part = ak.zip({name.removeprefix("part_"): records[name] for name in FEATURES})
    scalars = {name: jets[name] for name in ("jet_pt", "jet_nparticles", "label")}
    ak.to_parquet(ak.Array({"part": part, "sv_mass": records["sv_mass"], **scalars}), tmp_path / "records.parquet")
    to_root(tmp_path / "jets.root", jets)
    for name in ("jets.feather", "records.parquet", "jets.root"):
        batch, _ = read(tmp_path / name, expected=expected)
        for group, own in whole.packed.groups.items():
            np.testing.assert_array_equal(batch.packed.groups[group].values, own.values)
            np.testing.assert_array_equal(batch.packed.groups[group].offsets, own.offsets)
        assert (batch.truth is None) == (name == "jets.root")


def test_what_is_learned_from_comes_mixed_and_each_jet_once(tmp_path, columns_of, to_parquet) -> None:
    for name, label, count in (("a", "top", 900), ("b", "qcd", 1800), ("c", "w", 900)):
        to_parquet(tmp_path / f"{name}.parquet", columns_of(count, 1, label), 300)
    batches = list(open_source(tmp_path))
    again = list(open_source(tmp_path))
    assert [batch.truth.tolist() for batch in batches] == [batch.truth.tolist() for batch in again]
    for batch in batches:
        shares = np.bincount(batch.truth, minlength=3) / len(batch)
        assert batch.schema.classes == ("qcd", "top", "w")
        assert np.abs(shares - [0.5, 0.25, 0.25]).max() < 0.12
    whole = concatenate(batches)
    seen = Counter(zip(whole.meta["file"].tolist(), whole.meta["position"].tolist(), strict=True))
    assert len(seen) == len(whole) == 3600
    assert max(seen.values()) == 1


def test_one_file_that_is_ordered_by_class_is_mixed_too(tmp_path, columns_of, to_parquet) -> None:
    columns = columns_of(4000)
    columns["label"] = ["qcd"] * 2000 + ["top"] * 2000
    first = next(iter(open_source(to_parquet(tmp_path / "jets.parquet", columns, 500))))
    assert 0.35 < first.truth.mean() < 0.65


def test_columns_of_0_and_1_are_classes_and_what_is_no_class_is_counted(tmp_path, columns_of, to_parquet) -> None:
    columns = columns_of(100)
    del columns["label"]
    for k, name in enumerate(("label_QCD", "label_Hbb", "label_Tbl")):
        columns[name] = (np.arange(100) % 2 == k).astype(np.int32)
    columns["label_Hbb"][:3] = 1  # rows 0 and 2 have two classes now
    columns["label_QCD"][4] = 0
    batch, messages = in_order(to_parquet(tmp_path / "jets.parquet", columns))
    assert batch.schema.classes == ("QCD", "Hbb", "Tbl")
    assert batch.truth[:6].tolist() == [-1, 1, -1, 1, -1, 1]
    assert any(line.startswith("samples of several classes") and line.endswith(": 2") for line in messages)
    assert any(line.startswith("samples of no class") and line.endswith(": 1") for line in messages)
    assert any("no sample of class Tbl" in line for line in messages)


def test_jets_of_no_one_and_500_particles_and_nan(tmp_path, columns_of, to_parquet) -> None:
    columns = columns_of(5, sizes=[0, 1, 500, 3, 0])
    columns["part_deta"][3][1] = np.nan
    columns["part_px"][3][2] = np.inf
    batch, messages = in_order(to_parquet(tmp_path / "jets.parquet", columns))
    assert batch.packed.groups["particles"].lengths.tolist() == [0, 1, 500, 3, 0]
    assert np.isnan(batch.packed.groups["particles"].values).sum() == 2
    assert "samples without particles: 2" in messages
    assert any("missing (NaN)" in line for line in messages)
    assert any("infinite" in line for line in messages)


def test_a_list_of_another_length_is_named_with_its_row(tmp_path, columns_of, to_parquet) -> None:
    columns = columns_of(6)
    columns["part_deta"][4] = columns["part_deta"][4][:-1]
    path = to_parquet(tmp_path / "jets.parquet", columns)
    with pytest.raises(SourceError, match=r"jets\.parquet: part_deta has \d+ entries in row 4, where part_px has"):
        list(open_source(path))


def test_a_missing_feature_is_named_with_the_nearest(tmp_path, parquet, columns_of, to_parquet) -> None:
    columns = columns_of(6)
    columns["part_Energy"] = columns.pop("part_energy")
    path = to_parquet(tmp_path / "other.parquet", columns)
    with pytest.raises(SourceError, match=r"other\.parquet: has no part_energy.*nearest is part_Energy"):
        open_source(path, expected=open_source(parquet).schema)


def test_files_that_differ_are_read_by_what_all_have(tmp_path, columns_of, to_parquet) -> None:
    to_parquet(tmp_path / "a.parquet", columns_of(10, 1) | {"jet_tau1": np.ones(10)})
    columns = columns_of(10, 2)
    del columns["part_deta"]
    to_parquet(tmp_path / "b.parquet", columns)
    source = open_source(tmp_path)
    assert "particles/part_deta" not in source.schema.names
    assert any("part_deta" in line and "b.parquet" in line for line in source.messages)
    assert any("jet_tau1" in line for line in source.messages)


def test_labels_and_weights_are_columns_that_the_layout_names(tmp_path, columns_of, to_parquet) -> None:
    from lynkeus.sources import Layout

    columns = columns_of(10) | {"kind": np.arange(10) % 3, "w": np.full(10, 2.0)}
    path = to_parquet(tmp_path / "jets.parquet", columns)
    batch, _ = in_order(path, layout=Layout(truth="kind", weight="w"))
    assert batch.schema.classes == ("0", "1", "2")
    assert batch.weight.tolist() == [2.0] * 10
    with pytest.raises(SourceError, match=r"has no column kinf.*nearest is kind"):
        open_source(path, layout=Layout(truth="kinf"))
    columns["w"][3] = -1
    with pytest.raises(SourceError, match=r"w, from row 0 on: the weight of sample 3 is -1"):
        list(open_source(to_parquet(tmp_path / "negative.parquet", columns), layout=Layout(weight="w")))


def test_a_class_that_the_model_does_not_have_counts_as_not_known(tmp_path, parquet, columns_of, to_parquet) -> None:
    path = to_parquet(tmp_path / "new.parquet", columns_of(10, 3, "higgs"))
    batch, messages = read(path, expected=open_source(parquet).schema)
    assert (batch.truth == -1).all()
    assert any("'higgs'" in line for line in messages)


@pytest.mark.parametrize("ending", ["root", "parquet"])
def test_a_file_that_was_cut_short_is_one_line(tmp_path, jets, to_root, to_parquet, ending) -> None:
    write = to_root if ending == "root" else to_parquet
    path = write(tmp_path / f"whole.{ending}", jets)
    cut = tmp_path / f"cut.{ending}"
    cut.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(SourceError, match=r"cut\.\w+: ") as raised:
        list(open_source(cut))
    assert "\n" not in str(raised.value)


def test_tables_are_still_tables(tmp_path: Path) -> None:
    path = tmp_path / "table.parquet"
    pa.parquet.write_table(pa.table({"part_number": [1.0, 2.0], "x": [3.0, 4.0]}), path)
    assert open_source(path).schema.kind == "table"
