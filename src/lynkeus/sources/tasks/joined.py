"""JoinedTasks: tasks of files with those that people decided about since, whose decision holds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from lynkeus.core.errors import SourceError
from lynkeus.sources.tasks.record import record_of
from lynkeus.sources.tasks.source import TaskRecords
from lynkeus.sources.tasks.table import open_tasks


class JoinedTasks(TaskRecords):
    """The tasks of the files in `data` ("": none), and those `decided` since, as JSON by name; a task that is in both
    is there once, as it was decided. `where` they come from, and `said`: messages. Raises SourceError.
    """

    def __init__(self, data: str, decided: Mapping[str, Any], where: str, said: Sequence[str] = ()) -> None:
        notes: Counter[str] = Counter()
        self.url, lines = where, list(said)
        earlier: list[Any] = []
        if data:
            source = open_tasks(data)
            if source is None:
                raise SourceError(f"{data}: holds no failed tasks; beside --decisions give such, or nothing")
            self.files, notes = source.files, source.notes
            lines += source.said
            earlier = [record for record in source.records if record.name not in decided]
            both = len(source.records) - len(earlier)
            lines += [f"{both} tasks of {data} are taken as they were decided since"] if both else []
        new = [record_of(name, found, notes, where) for name, found in decided.items()]
        super().__init__([*earlier, *new], where, notes, lines)
