"""Streams on the command line: recorded for a fit, told of while they are watched."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lynkeus.cli.options import FitOptions, screen
from lynkeus.core import SettingsError
from lynkeus.progress import say

if TYPE_CHECKING:
    from lynkeus.core import Source


def stream_in(source: object) -> Any:
    """Return the stream inside all wrappers, None where there is none."""
    from lynkeus.sources.wrappers.wrapper import innermost

    found = innermost(source)
    return found if getattr(found, "is_live", False) else None


def heard(source: Source) -> Any:
    """Let a stream say at once what happens; return it, None where the source is none."""
    stream = stream_in(source)
    if stream is not None:
        stream.told = True
        stream.tell = lambda line: say(screen, [line])
    return stream


def recorded(source: Source, options: FitOptions) -> Source:
    """Return a stream as it was over some time, any other source as it is. Raises SettingsError where a stream has no
    end, or where a time is given to what is none."""
    for_time, data = options.for_time, options.data
    window = int(options.window) if options.window.isdecimal() else 0
    stream = heard(source)
    if stream is None:
        if for_time:
            raise SettingsError(f"--for {for_time}: {data} is no stream and has an end of its own; leave it out")
        return source
    if not for_time:
        raise SettingsError(f"{data}: a stream has no end; say how long to listen, such as --for 30m")
    from lynkeus.core.calibration import FEWEST
    from lynkeus.sources.streams.recorded import Recorded, seconds_of

    seconds, rate, rows = seconds_of(for_time), stream.schema.sample_rate_hz, max(window, 1)
    if seconds * rate < FEWEST * rows:
        stream.close()
        raise SettingsError(
            f"--for {for_time}: {rate:g} samples a second give {seconds * rate / rows:.0f} windows, and a fit needs at "
            f"least {FEWEST}; listen for {FEWEST * rows / rate * 1.05:.0f}s or longer, or cut shorter windows"
        )
    return Recorded(stream, seconds)
