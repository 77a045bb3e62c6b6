"""JoinedTasks: tasks of files with those that people decided about since, whose decision holds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lynkeus.core.errors import SourceError
from lynkeus.sources.tasks.record import record_of
from lynkeus.sources.tasks.source import TaskRecords, TaskSource, holds_tasks


class JoinedTasks(TaskRecords):
    """The tasks of the files in `data` ("": none), and those `decided` since, as JSON by name; a task that is in both
    is there once, as it was decided. `where` they come from, and `said`: messages. Raises SourceError.
    """

    def __init__(self, data: str, decided: Mapping[str, Any], where: str, said: Sequence[str] = ()) -> None:
        notes: Counter[str] = Counter()
        self.said, self.url = list(said), where
        earlier: list[Any] = []
        self.files: tuple[Path, ...] = ()
        if data:
            if not holds_tasks(Path(data)):
                raise SourceError(f"{data}: holds no tasks as JSON; beside --decisions give such, or nothing")
            source = TaskSource(Path(data))
            self.files, notes = source.files, source.notes
            earlier = [record for record in source.records if record.name not in decided]
            both = len(source.records) - len(earlier)
            self.said += [f"{both} tasks of {data} are taken as they were decided since"] if both else []
        new = [record_of(name, found, notes, where) for name, found in decided.items()]
        super().__init__([*earlier, *new], where, notes)

    @property
    def messages(self) -> list[str]:
        """Return how many decisions there were, and what was left out."""
        return [*self.said, *super().messages]
