"""The facts of a site: names of monitors in stores of earlier versions, and places read from names of channels."""

from __future__ import annotations

from pathlib import Path

import pytest

from lynkeus.core import SettingsError
from lynkeus.fitting.evidence.channels import ChannelPlace, line_positions, place_of
from lynkeus.monitor.site import PLACE, SiteSettings, name_in


@pytest.mark.parametrize(
    ("known", "name", "expected"),
    [
        ((), "monitor", "monitor"),
        (("orbits",), "monitor", "orbits"),  # begun by an earlier version, without a name
        (("orbits", "monitor"), "monitor", "monitor"),
        (("orbits",), "line", "line"),
    ],
)
def test_a_watch_without_a_name_goes_on_in_a_store_of_before(known: tuple[str, ...], name: str, expected: str) -> None:
    assert name_in(known, name) == expected


def test_places_are_read_as_a_site_names_its_channels() -> None:
    assert place_of("BPME.2241.SA1/x", PLACE) == ChannelPlace(2241.0, "SA1", "x")
    assert place_of("pump 3/y", PLACE) == ChannelPlace(None, "", "y")
    assert place_of("BPME.2241.SA1/x", "") == ChannelPlace(None, "", "x")
    own = r"^(?P<line>\w+):(?P<position>[\d.]*)m"
    assert place_of("ring:12.5m", own) == ChannelPlace(12.5, "ring", "")
    assert place_of("ring:m", own) == ChannelPlace(None, "ring", "")
    assert line_positions(("ring:1m", "ring:2m"), own) == (1.0, 2.0)
    assert line_positions(("ring:1m", "ring:m"), own) == ()


@pytest.mark.parametrize(("pattern", "says"), [("(", "is no regular expression"), (r"\d+", "has none of the groups")])
def test_a_pattern_that_says_no_place_is_refused(tmp_path: Path, pattern: str, says: str) -> None:
    site = tmp_path / "site.toml"
    site.write_text(f"place = '{pattern}'\n", "utf-8")
    with pytest.raises(SettingsError, match=f"site.toml: place: .* {says}"):
        SiteSettings.read(site)
