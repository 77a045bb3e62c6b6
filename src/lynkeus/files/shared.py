"""Shares of a long computation by name, each done once: by whom one likes, and noted in a ledger as they are done."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lynkeus.core.progress import ReportProgress, silent
from lynkeus.files.journal import Journal, Row
from lynkeus.files.workers import Backend, Work, as_done


@dataclass
class Sharing:
    """Who does the shares, and where it is noted what is done.

    `again` makes in another process what is asked, from what can be pickled: a function of a module. `ledger`: the file
    that is written in the end, beside which the ledger lies (None: there is none); `head`: all that the shares depend
    on, so that a ledger of something else is not gone on with.
    """

    again: Callable[[], Any] | None = None
    processes: int = 1
    backend: Backend | None = None
    ledger: Path | None = None
    head: Mapping[str, Any] = field(default_factory=dict)
    before: int = 0  # shares that an earlier run had done
    count: int = 0  # of all shares
    _journal: Journal | None = None

    def do(
        self, work: Work[Any, list[Row]], shares: Mapping[str, Any], progress: ReportProgress | None = None
    ) -> dict[str, list[Row]]:
        """Return the rows of each share by its name, those of an earlier run among them.

        Raises what a share raises, and SourceError where the ledger cannot be written.
        """
        report, done = progress or silent, dict[str, list[Row]]()
        if self.ledger is not None:
            self.ledger.parent.mkdir(parents=True, exist_ok=True)
            self._journal = Journal.open(self.ledger, self.head, ((name, ()) for name in shares))
            done = {name: self._journal[name] for name in shares if name in self._journal}
        self.before, self.count = len(done), len(shares)
        left = [name for name in shares if name not in done]
        if left:
            report(left[0], len(done) / len(shares))
        alone = self.again is None
        who = (1, None) if alone else (self.processes, self.backend)
        try:
            for number, rows in as_done(work, [shares[name] for name in left], *who):
                done[left[number]] = rows
                if self._journal is not None:
                    self._journal.add(left[number], (), rows)
                    self._journal.commit()
                report(left[number], len(done) / len(shares))
        except BaseException:
            if not done:
                self.finish()  # there is nothing to go on with
            raise
        return {name: done[name] for name in shares}

    def finish(self) -> None:
        """Remove the ledger: what it was for is written."""
        if self._journal is not None:
            self._journal.remove()
