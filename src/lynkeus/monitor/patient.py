"""PatientStore: a store that waits while its database is away or full, as while a server is started again.

A live source goes on meanwhile: what it sends waits in its queue, and is scored afterwards, instead of being missed.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa

from lynkeus.core.errors import StoreError
from lynkeus.monitor.database import one_line_errors
from lynkeus.monitor.records import Commit, Owner
from lynkeus.monitor.store import Store
from lynkeus.monitor.tables import progress

PATIENCE_S = 45.0  # a supervisor takes a process for dead that is silent for longer
AGAIN_S = 0.5


class PatientStore(Store):
    """A Store that tries again for PATIENCE_S; `tell` is given a line when that begins, and when it is over.

    What was committed though the answer was lost is not committed twice. Raises StoreError where the monitor was taken
    over meanwhile, and what the commit raised where the database stays away."""

    def __init__(self, url: str, tell: Callable[[str], None]) -> None:
        super().__init__(url)
        self.tell = tell

    @contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """See Store."""
        self._await()
        with super().reading() as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[sa.Connection]:
        """See Store."""
        self._await()
        with super().writing() as connection:
            yield connection

    def _await(self) -> None:
        """Wait until the database answers."""
        until, said = time.monotonic() + PATIENCE_S, False
        while True:
            try:
                with one_line_errors(self.address), self.engine.connect():
                    break
            except StoreError as error:
                if time.monotonic() > until:
                    raise
                said = self._say(said, str(error))
                time.sleep(AGAIN_S)
        if said:
            self.tell(f"{self.address}: reached again")

    def _say(self, said: bool, what: str) -> bool:
        if not said:
            self.tell(f"{what}; what comes meanwhile waits")
        return True

    def commit(self, name: str, owner: Owner, commit: Commit) -> None:
        """See Store."""
        until, said = time.monotonic() + PATIENCE_S, False
        while True:
            try:
                super().commit(name, owner, commit)
                break
            except StoreError as error:
                if self._is_taken(name, owner) or time.monotonic() > until:
                    raise
                said = self._say(said, str(error))
                time.sleep(AGAIN_S)
                if self._is_there(name, commit):
                    break
        if said:
            self.tell(f"{self.address}: written again")

    def _is_taken(self, name: str, owner: Owner) -> bool:
        """Return whether another process holds the monitor; not where nobody can say so."""
        found = self._row(name)
        return found is not None and found.token != owner.token

    def _is_there(self, name: str, commit: Commit) -> bool:
        found, now = self._row(name), commit.progress
        return found is not None and (found.position, found.last_end_ns) == (now.position, now.last_end_ns)

    def _row(self, name: str) -> Any:
        asked = sa.select(progress.c.token, progress.c.position, progress.c.last_end_ns)
        try:
            with super().reading() as connection:
                return connection.execute(asked.where(progress.c.monitor == name)).one_or_none()
        except StoreError:
            return None
