"""Watch a folder that grows: each file that appears in it is judged once, when it is whole, whatever it holds.

What is in the store already is not judged again, so that a watch that was killed goes on; a file that is still being
written is left until its size and its time stand still.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from lynkeus.core import Verdict
from lynkeus.files.journal import Stamp

PAUSE_S = 5.0  # between two looks into the folder


class Judged(NamedTuple):
    """What was found of one sample: its name, the verdict, and why."""

    name: str
    verdict: Verdict
    reason: str


class Files(Protocol):
    """What a watch must know of one kind of files."""

    def look(self) -> Mapping[str, Stamp]:
        """Return all files that are there now, by name, each with the stamp by which a change is seen."""
        ...

    def judge(self, now: Mapping[str, Stamp]) -> Iterator[Judged]:
        """Judge those of these files that the store does not have as they are now, and keep what was found.

        A file that cannot be read may be left out, to be tried at the next look.
        """
        ...

    def messages(self) -> Sequence[str]:
        """Return what there is to say beside the verdicts, each line once."""
        ...


@dataclass
class Watched:
    """What a watch of a folder did so far: `judged` samples, how many of them are `flagged`, how many could not be
    judged (`unjudged`), and a line on each of these (`messages`)."""

    judged: int = 0
    flagged: int = 0
    unjudged: int = 0
    messages: list[str] = field(default_factory=list)

    def add(self, one: Judged) -> None:
        """Count one sample, with a line on it where it is not good."""
        self.judged += 1
        self.flagged += one.verdict in (Verdict.WARN, Verdict.BAD)
        self.unjudged += one.verdict == Verdict.NOT_ENOUGH_DATA
        if one.verdict != Verdict.GOOD:
            self.messages.append(f"{one.name}: {one.verdict.value.upper()}, {one.reason}")


def watch_folder(
    files: Files, follow: bool, tick: Callable[[Watched], None] | None = None, pause_s: float = PAUSE_S
) -> Watched:
    """Judge all that the store has not seen; `follow`: then wait for more until interrupted.

    `tick` is told after each sample, and after each look into the folder.
    """
    tell = tick or (lambda watched: None)
    done, before = Watched(), dict[str, Stamp]()
    while True:
        now = dict(files.look())
        # A file that changed between two looks is still being written; it is read when it has come to rest.
        still = {name: stamp for name, stamp in now.items() if not follow or before.get(name) == stamp}
        before = now
        for one in files.judge(still):
            done.add(one)
            tell(done)
        done.messages += files.messages()
        tell(done)
        if not follow:
            return done
        time.sleep(pause_s)
