"""Progress on the terminal: bars, and one line for a watch."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from rich.console import Console

from lynkeus.files.at_work import Note, at_work

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from lynkeus.monitor.watch import Watched
    from lynkeus.training import TrainingProgress


class Bar:
    """One line of progress: counted samples in a pass, or a share of named steps."""

    def __init__(self, progress: Progress, title: str, note: Note | None = None) -> None:
        self.progress = progress
        self.note = note
        self.title = title
        self.training = self.what = ""
        self.task: TaskID = progress.add_task(title, total=None)

    def begin(self, what: str, total: int | None) -> None:
        """Start the bar again at zero."""
        self.progress.reset(self.task, description=f"{self.title}: {what}", total=total)
        self._tell(what)

    def advance(self, samples: int) -> None:
        """Count so many samples as done."""
        self.progress.advance(self.task, samples)
        self._tell()

    def step(self, what: str, share: float | None = None) -> None:
        """Say what is being done, and how much of it is done, from 0 to 1."""
        self.progress.update(self.task, description=f"{self.title}: {what}", total=1.0, completed=share or 0.0)
        self._tell(what)

    def train(self, now: TrainingProgress) -> None:
        """Show the samples of all epochs that a training has gone through, how fast, and how good it is by now."""
        speed = self.progress.tasks[self.task].speed
        rate = f", {speed:,.0f} samples/s" if speed else ""
        good = "" if now.loss != now.loss else f", loss {now.loss:.3g}, finds {now.efficiency:.0%}"
        what = f"{self.title}: {now.title}, epoch {now.epoch} of at most {now.epochs}{rate}{good}"
        if self.training != now.title:
            self.progress.reset(self.task)
        self.training = now.title
        self.progress.update(self.task, description=what, total=now.total, completed=now.done)
        self._tell(what.partition(": ")[2])

    def _tell(self, what: str = "") -> None:
        """Note it for those who ask what is at work."""
        if self.note is not None:
            self.what, task = what or self.what, self.progress.tasks[self.task]
            self.note.tell(self.what, min(task.completed / task.total, 1.0) if task.total else None)


@contextmanager
def passes_bar(console: Console, title: str) -> Iterator[Bar]:
    """A bar that disappears when it is done, silent where nobody watches a terminal; and a note of what is at work."""
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    progress = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
    with at_work(title) as note, progress:
        yield Bar(progress, title, note)


@contextmanager
def watch_line(console: Console) -> Iterator[Callable[[Watched], None]]:
    """A line that says how far the watch is and what is open; at its end, whatever that is, what there is to say."""
    said: list[str] = []
    with console.status("watching") as status:

        def tick(run: Watched) -> None:
            said[:] = run.messages
            at = datetime.fromtimestamp(run.end_ns / 1e9, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
            opened = ", ".join(f"{state.alarm.output} {state.alarm.where}" for state in run.open.values()) or "none"
            status.update(f"{at}   {run.windows} windows, {run.alarms} alarms, open: {opened}")

        try:
            yield tick
        finally:
            say(console, said)


def say(console: Console, lines: Iterable[str]) -> None:
    """Print lines as they are: names may hold brackets, and a log wants no line breaks of its own."""
    for line in lines:
        console.print(line, highlight=False, markup=False, soft_wrap=True)
