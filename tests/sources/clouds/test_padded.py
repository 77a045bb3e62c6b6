"""Padded arrays, and the public sets of top jets and of quark and gluon jets: padding is no particle."""

import h5py
import numpy as np
import pytest

from lynkeus.core import SourceError, concatenate
from lynkeus.sources import open_source


def in_order(path):
    return concatenate(list(open_source(path, expected=open_source(path).schema)))


@pytest.fixture
def padded() -> tuple[np.ndarray, np.ndarray]:
    """40 samples of at most 7 particles with 3 features, and their mask."""
    rng = np.random.default_rng(0)
    mask = np.arange(7) < rng.integers(0, 8, 40)[:, None]
    return np.where(mask[:, :, None], rng.normal(size=(40, 7, 3)), 0).astype(np.float32), mask


@pytest.mark.parametrize("ending", ["npz", "h5"])
def test_an_array_with_a_mask(tmp_path, padded, ending) -> None:
    values, mask = padded
    path = tmp_path / f"clouds.{ending}"
    label = np.arange(40) % 2
    if ending == "npz":
        np.savez_compressed(path, x=values, mask=mask, label=label, names=np.array(["px", "py", "pz"]))
    else:
        with h5py.File(path, "w") as file:
            for name, data in {"x": values, "mask": mask, "label": label}.items():
                file[name] = data
            file["names"] = np.array(["px", "py", "pz"], dtype=h5py.string_dtype())
    batch = in_order(path)
    assert batch.schema.names == ("particles/part_px", "particles/part_py", "particles/part_pz")
    back, there = batch.packed.padded("particles", 7)
    np.testing.assert_array_equal(there, mask)
    np.testing.assert_array_equal(back, values)
    assert batch.truth.tolist() == label.tolist()


def test_a_mask_of_another_shape_is_no_cloud(tmp_path, padded) -> None:
    values, mask = padded
    path = tmp_path / "other.npz"
    np.savez(path, X=values, mask=mask[:, :-1])
    assert open_source(path).schema.kind != "cloud"


def test_quark_and_gluon_jets(tmp_path) -> None:
    """X (n, 139, 4) of pt, rapidity, azimuth and PDG number; y 1 for quarks."""
    rng = np.random.default_rng(1)
    x = np.zeros((20, 139, 4))
    for k, count in enumerate(rng.integers(2, 50, 20)):
        x[k, :count] = np.stack(
            [rng.uniform(0.1, 50, count), rng.normal(1, 0.2, count), rng.normal(0.5, 0.2, count),
             rng.choice([211, -211, 22, 130, 11, -13], count)], axis=1,
        )  # fmt: skip
    np.savez(tmp_path / "QG_jets.npz", X=x, y=np.arange(20.0) % 2)
    batch = in_order(tmp_path / "QG_jets.npz")
    assert batch.schema.classes == ("gluon", "quark")
    assert batch.truth.tolist() == [0, 1] * 10
    column = {name.partition("/")[2]: k for k, name in enumerate(batch.schema.names)}
    own = batch.packed.groups["particles"]
    values, jet = own.values.astype(float), own.sample
    real = x[:, :, 0] > 0
    np.testing.assert_allclose(
        np.hypot(values[:, column["part_px"]], values[:, column["part_py"]]), x[real][:, 0], rtol=1e-5
    )
    energy, pz = values[:, column["part_energy"]], values[:, column["part_pz"]]
    np.testing.assert_allclose(0.5 * np.log((energy + pz) / (energy - pz)), x[real][:, 1], atol=1e-4)
    charge = np.array([{211: 1, -211: -1, 11: -1, -13: 1}.get(int(pid), 0) for pid in x[real][:, 3]])
    np.testing.assert_array_equal(values[:, column["part_charge"]], charge)
    px = np.bincount(jet, values[:, column["part_px"]])
    py = np.bincount(jet, values[:, column["part_py"]])
    np.testing.assert_allclose(batch.meta["jet_pt"], np.hypot(px, py), rtol=1e-4)
    flags = [column[f"part_is{name}"] for name in ("ChargedHadron", "NeutralHadron", "Photon", "Electron", "Muon")]
    assert (values[:, flags].sum(axis=1) == 1).all()


def top_table(count: int = 30):
    pandas = pytest.importorskip("pandas")
    rng = np.random.default_rng(2)
    momenta = np.zeros((count, 200, 4), np.float32)
    for k, n in enumerate(rng.integers(1, 200, count)):
        momenta[k, :n, 1:] = rng.normal(size=(n, 3)) * 10
        momenta[k, :n, 0] = np.sqrt((momenta[k, :n, 1:] ** 2).sum(axis=1)) + 0.1
    names = [f"{kind}_{k}" for k in range(200) for kind in ("E", "PX", "PY", "PZ")]
    frame = pandas.DataFrame(momenta.reshape(count, 800), columns=names)
    truth = pandas.DataFrame(np.ones((count, 4), np.float32), columns=[f"truth{k}" for k in ("E", "PX", "PY", "PZ")])
    whole = pandas.DataFrame({"ttv": np.zeros(count, int), "is_signal_new": np.arange(count) % 2})
    return momenta, pandas.concat([frame, truth, whole], axis=1)


@pytest.mark.parametrize("format", ["fixed", "table"])
def test_top_jets_are_read_without_pandas(tmp_path, format) -> None:
    pytest.importorskip("tables")
    momenta, frame = top_table()
    frame.to_hdf(tmp_path / "train.h5", key="table", format=format)
    batch = in_order(tmp_path / "train.h5")
    assert batch.schema.classes == ("qcd", "top")
    assert batch.truth.tolist() == [0, 1] * 15
    own = batch.packed.groups["particles"]
    real = momenta[:, :, 0] > 0
    assert own.lengths.tolist() == real.sum(axis=1).tolist()
    assert batch.schema.names[:4] == tuple(f"particles/part_{name}" for name in ("px", "py", "pz", "energy"))
    np.testing.assert_allclose(own.values[:, :4], momenta[real][:, [1, 2, 3, 0]], rtol=1e-6)
    jet = momenta.astype(float).sum(axis=1)
    np.testing.assert_allclose(batch.meta["jet_energy"], jet[:, 0], rtol=1e-5)
    deta, dphi = own.values[:, 4], own.values[:, 5]
    assert np.abs(dphi).max() <= np.pi + 1e-6
    eta = np.arcsinh(momenta[real][:, 3] / np.hypot(momenta[real][:, 1], momenta[real][:, 2]))
    axis = np.arcsinh(jet[:, 3] / np.hypot(jet[:, 1], jet[:, 2]))[own.sample]
    np.testing.assert_allclose(deta, (eta - axis) * np.sign(axis), atol=1e-4)
    assert set(batch.meta) >= {"jet_pt", "jet_eta", "jet_mass", "jet_nparticles", "ttv", "truthE"}


def test_a_momentum_that_is_not_there_is_named(tmp_path) -> None:
    pytest.importorskip("tables")
    _, frame = top_table(5)
    frame.drop(columns="PY_17").to_hdf(tmp_path / "train.h5", key="table", format="fixed")
    with pytest.raises(SourceError, match=r"train\.h5: has no column PY_17"):
        open_source(tmp_path / "train.h5")
