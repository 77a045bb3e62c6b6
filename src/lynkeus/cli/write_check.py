"""lynkeus write-check: how a text is written, and what would help most."""

from __future__ import annotations

import typer

from lynkeus.cli.options import screen
from lynkeus.cli.page_options import WriteCheckOptions
from lynkeus.core import SourceError
from lynkeus.progress import say

SHOWN = 5  # pieces of advice
LONGEST_FILE = 8_000_000  # bytes; more is no text for people


def check_text(options: WriteCheckOptions) -> None:
    """Print the score, its parts, and what would change it most; write the page."""
    from lynkeus.files.whole import write_whole
    from lynkeus.sources.texts.decoded import decoded
    from lynkeus.transforms.writing.check import check_writing
    from lynkeus.transforms.writing.page import page_of

    if not options.text.is_file():
        raise SourceError(f"{options.text}: no such file of text; check the path")
    if options.text.stat().st_size > LONGEST_FILE:
        size = options.text.stat().st_size / 1e6
        raise SourceError(f"{options.text}: {size:.0f} MB are no text that people read; give one text")
    text, messages = decoded(options.text)
    try:
        found = check_writing(text, options.language)
    except SourceError as error:
        raise SourceError(f"{options.text}: {error}") from error
    typer.echo(f"{found.score:.0f} of 100 ({found.language})")
    for part in found.parts:
        typer.echo(f"  {part.name:<12}{part.score:4.0f}  {100 * part.weight:3.0f} %  {part.says}")
    if found.advice:
        typer.echo("what would change it most:")
    for what, gain in found.advice[:SHOWN]:
        typer.echo(f"  +{gain:4.1f}  {what}")
    if options.output is not None:
        write_whole(options.output, page_of(found, options.text.name).encode("utf-8", "replace"))
        messages.append(f"{options.output}: the text with {len(found.marks)} marks")
    say(screen, messages)
