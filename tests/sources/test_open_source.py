from pathlib import Path

import numpy as np
import pytest

from lynkeus.core import SettingsError, SourceError, concatenate
from lynkeus.sources import Layout, files_of, open_source, write_bundle


@pytest.mark.parametrize("layout", ["xfel_orbits", "file", "made"])
def test_a_layout_is_a_name_a_file_or_made(orbits: Path, tmp_path: Path, layout: str):
    if layout == "file":
        text = 'names = "orbit/bpm"\n[[blocks]]\ndataset = "orbit/x"\n'
        (tmp_path / "mine.toml").write_text(text)
    chosen = {"xfel_orbits": layout, "file": tmp_path / "mine.toml"}.get(
        layout, Layout.from_dict({"blocks": [{"dataset": "orbit/y"}]})
    )
    source = open_source(str(orbits), chosen)
    assert len(source) == sum(len(batch) for batch in source) == 6100
    assert files_of(source) == (orbits,)


def test_times_backwards_and_inf_are_handled_at_the_door(tmp_path: Path):
    time_ns = np.array([1, 2, 2, 3, 6]) * 10**9 + 7  # no whole seconds, in which rows may share a stamp
    np.savez(tmp_path / "a.npz", X=np.array([[1.0], [np.inf], [3], [4], [5]]), time_ns=time_ns)
    source = open_source(tmp_path / "a.npz")
    assert len(concatenate(list(source))) == 4
    assert len(source.messages) == 3
    assert source.missed == 2
    np.savez(tmp_path / "b.npz", X=np.zeros((5, 1)), time_ns=time_ns[::-1])
    with pytest.raises(SourceError, match=r"b\.npz: time goes backwards at row 1"):
        list(open_source(tmp_path / "b.npz"))


def test_a_simulator_is_found_by_its_address():
    source = open_source("sim://orbit?seed=3&hours=0.002")
    first, again = concatenate(list(source)), concatenate(list(open_source("sim://orbit?seed=3&hours=0.002")))
    np.testing.assert_array_equal(first.values, again.values)
    with pytest.raises(SettingsError, match=r"sim://orbit\?colour=red: .*colour.*options are .*seed"):
        open_source("sim://orbit?colour=red")
    with pytest.raises(SettingsError, match=r"no simulator called 'tokamak'.*orbit"):
        open_source("sim://tokamak")
    with pytest.raises(SettingsError, match="no --layout"):
        open_source("sim://orbit", "xfel_orbits")
    with pytest.raises(SettingsError, match=r"no source called 'mqtt'; there are: bundle, csv"):
        open_source("mqtt://host")


def test_what_is_not_there_or_not_known_is_said(tmp_path: Path):
    (tmp_path / "notes.doc").write_text("hello")
    (tmp_path / "notes.txt").write_text("hello")
    (tmp_path / "inner").mkdir()
    for what, said in (
        ("absent.h5", "no such file or folder"),
        ("*.h5", "no file matches this pattern"),
        ("notes.doc", r"the ending '.doc' is not known; readable are .h5"),
        ("notes.txt", "holds a header but no rows"),
        ("inner", "not a bundle and holds no file of .h5"),
    ):
        with pytest.raises(SourceError, match=said) as caught:
            open_source(tmp_path / what)
        assert str(tmp_path) in str(caught.value)


def test_a_bundle_is_opened_like_a_file(orbits: Path, tmp_path: Path):
    source = open_source(orbits, "xfel_orbits")
    write_bundle(source, tmp_path / "bundle")
    again = open_source(tmp_path / "bundle")
    assert again.schema == source.schema
    np.testing.assert_array_equal(concatenate(list(again)).values, concatenate(list(source)).values)
