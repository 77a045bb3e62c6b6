"""What an error says is one line that can be printed, whatever the names in it are."""

from lynkeus.core import LynkeusError


def test_an_error_is_one_line_that_can_be_printed() -> None:
    assert str(LynkeusError("Müller.csv: what, where")) == "Müller.csv: what, where"
    said = str(LynkeusError("a\nb\tc: \ud800 \x1b[31m\u202e"))
    assert said.isprintable()
    assert said == "a b c: \\ud800 \\x1b[31m\\u202e"
    long = str(LynkeusError("a.csv: " + "x\x00" * 3000 + "; give it another name"))
    assert len(long) < 4000
    assert long.endswith("; give it another name")
