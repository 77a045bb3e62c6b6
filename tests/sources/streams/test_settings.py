"""Lists of channels: what is read, and one line for what cannot be."""

from pathlib import Path

import pytest

from lynkeus.core import SettingsError
from lynkeus.sources.streams.settings import StreamSettings
from lynkeus.sources.streams.update import Inbox, Update


def test_a_list_with_names_units_and_options(tmp_path: Path) -> None:
    file = tmp_path / "list.toml"
    file.write_text(
        'server = "127.0.0.1:5075"\nrate_hz = 10\npvs = ["A:X", {pv = "B:X", name = "b", unit = "mm", hold = true}]\n'
    )
    read = StreamSettings.of_url(f"epics+pva://{file}?queue=7&select=*")
    assert [(one.address, one.name, one.unit, one.hold) for one in read.channels] == [
        ("A:X", "A:X", "", None), ("B:X", "b", "mm", True),
    ]  # fmt: skip
    assert (read.rate_hz, read.queue, read.server) == (10, 7, "127.0.0.1:5075")
    assert len(StreamSettings.of_url("epics+pva://A:X,B:X?rate_hz=2.5").channels) == 2
    assert [one.name for one in StreamSettings.of_url(f"epics+pva://{file}?select=A*").channels] == ["A:X"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("pvs = []", "no channel is named"),
        ('pvs = ["A", "A"]', "A is there twice"),
        ('pvs = ["A", {pv = "B", name = "A"}]', "A is there twice"),
        ('pvs = ["A"]\nrate = 10', "rate: no such setting"),
        ('pvs = ["A"]\nrate_hz = "fast"', "rate_hz must be a number"),
        ('pvs = ["A"]\nrate_hz = nan', "rate_hz must be a number"),
        ('pvs = ["A"]\nqueue = 0', "must be positive"),
        ('pvs = ["A"]\npulse_id = "macropulse"', "pulse_id must be"),
        ('pvs = ["A"]\nselect = ["B*"]', "matches none of 1 channels"),
        ("pvs = [1]", "is no channel"),
        ('pvs = [{pv = "A", units = "mm"}]', "units: a channel has"),
        ('pvs = "A"', "must be a list"),
        ("pvs = [", "list.toml"),
        ('pvs = ["A"]\nserevr = "x"', r"serevr: no such setting; did you mean server\?"),
        ('pvs = ["A"]\nselect = ["B*"]', r"select=B\* matches none of 1 channels, such as A"),
    ],
)
def test_a_list_that_makes_no_sense_is_one_line_that_names_it(tmp_path: Path, text: str, says: str) -> None:
    file = tmp_path / "list.toml"
    file.write_text(text)
    with pytest.raises(SettingsError, match=says) as error:
        StreamSettings.of_url(f"epics+pva://{file}")
    assert "list.toml" in str(error.value)


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("epics+pva://", "no channel is named"),
        ("epics+pva://nothing.toml", "cannot be read"),
        ("epics+pva://BPM:*", "no directory"),
        ("epics+pva://A?rat=1", "rat: no such option"),
        ("epics+pva://" + ",".join(f"A{k}" for k in range(20_001)), "20001 channels are more than"),
    ],
)
def test_an_address_that_makes_no_sense_is_one_line(url: str, says: str) -> None:
    with pytest.raises(SettingsError, match=says):
        StreamSettings.of_url(url)


def test_a_full_queue_drops_the_oldest_and_counts_exactly() -> None:
    inbox = Inbox(5)
    for number in range(12):
        inbox.put(Update(0, number, 0, float(number), 0, 0))
    assert inbox.dropped == 7
    assert [update.value for update in inbox.take(0.0)] == [7.0, 8.0, 9.0, 10.0, 11.0]
    assert inbox.take(0.0) == []
