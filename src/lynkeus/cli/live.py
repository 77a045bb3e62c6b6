"""Streams on the command line: recorded for a fit, told of while they are watched."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lynkeus.cli.options import FitOptions, screen
from lynkeus.core import SettingsError, plugins
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


def with_end(source: Source, data: str) -> Source:
    """Return a source that comes to an end. Raises SettingsError for a stream, which does not."""
    if stream_in(source) is not None:
        raise SettingsError(f"{data}: a stream has no end; watch it by lynkeus watch MODEL {data}")
    return source


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
    _check_frames(stream, options, window)
    if seconds * rate < FEWEST * rows:
        stream.close()
        raise SettingsError(
            f"--for {for_time}: {rate:g} samples a second give {seconds * rate / rows:.0f} windows, and a fit needs at "
            f"least {FEWEST}; listen for {FEWEST * rows / rate * 1.05:.0f}s or longer, or cut shorter windows"
        )
    return Recorded(stream, seconds)


def _check_frames(stream: Any, options: FitOptions, window: int) -> None:
    """Refuse what no frames of a camera can be, before somebody has waited for half an hour of them."""
    if stream.schema.kind != "image":
        return
    problem = "--window: each frame of a camera is a sample; leave it out" if window else ""
    for name in (options.scorer or "auto").split(","):
        if name != "auto" and "image" not in plugins.about(name).kinds:
            problem = f"the scorer {name} reads no images, such as frames; take inspect, or nearest_neighbours"
    if problem:
        stream.close()
        raise SettingsError(problem)
