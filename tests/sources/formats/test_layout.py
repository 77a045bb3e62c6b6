from pathlib import Path

import pytest

from lynkeus.core import SettingsError
from lynkeus.sources.formats.layout import Block, Layout, Times, read_layout, shipped_layouts


def test_every_shipped_layout_can_be_read():
    assert "xfel_orbits" in shipped_layouts()
    for name in shipped_layouts():
        assert read_layout(name).name == name


def test_the_layout_of_orbits_shortens_names():
    layout = read_layout("xfel_orbits")
    assert layout.blocks == (Block("orbit/x", "x", "mm"), Block("orbit/y", "y", "mm"))
    assert layout.short("XFEL.DIAG/BPM/BPME.2241.SA1") == "BPME.2241.SA1"
    assert layout.times == Times("orbit/time_ns")


def test_a_layout_survives_its_dictionary():
    layout = read_layout("xfel_orbits")
    assert Layout.from_dict(layout.to_dict()) == layout
    assert read_layout(layout) is layout
    assert read_layout(None) == Layout()


def test_an_unknown_name_lists_what_is_shipped():
    with pytest.raises(SettingsError, match=r"no layout called 'xfel_orbit'.*xfel_orbits"):
        read_layout("xfel_orbit")


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("instrument = 3", "instrument: must be text"),
        ("colour = 'red'", "colour: no such field"),
        ("strip = '('", "strip: .* regular expression"),
        ("blocks = 'x'", "blocks: must be a list"),
        ("[[blocks]]\nsuffix = 'x'", r"blocks\.dataset: is missing"),
        ("[[blocks]]\ndataset = ''", r"blocks\.dataset: must not be empty"),
        ("[[blocks]]\ndataset = 'x'\nplane = 'y'", r"blocks\.plane: no such field"),
        ("[times]\nunit = 'ns'", "times: give either"),
        ("[times]\ndataset = 't'\nunit = 'min'", r"times\.unit"),
        ("[times]\nsample_rate_hz = -1", r"times\.sample_rate_hz"),
        ("[times]\nsample_rate_hz = 1\nstart_ns = 0.5", r"times\.start_ns"),
        ("times = 3", "times: must be a table"),
        ("this is not toml", "not valid TOML"),
    ],
)
def test_a_wrong_field_is_named_with_its_file(tmp_path: Path, text: str, field: str):
    path = tmp_path / "mine.toml"
    path.write_text(text)
    with pytest.raises(SettingsError, match=field) as caught:
        read_layout(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_layout_file_is_said_to_be_missing(tmp_path: Path):
    with pytest.raises(SettingsError, match=r"none\.toml: the layout cannot be read"):
        read_layout(tmp_path / "none.toml")


def test_true_is_no_number_of_bits_and_no_rate():
    with pytest.raises(SettingsError, match=r"blocks\.bits: must be a whole number"):
        Block("a", bits=True)
    with pytest.raises(SettingsError, match=r"times\.sample_rate_hz: must be a positive number, got True"):
        Times(sample_rate_hz=True)
    with pytest.raises(SettingsError, match=r"times\.start_ns: must be a whole number"):
        Times(sample_rate_hz=1.0, start_ns=True)
