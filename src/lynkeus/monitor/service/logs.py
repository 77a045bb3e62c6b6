"""Logs of a service: one JSON object a line, for journals and log collectors."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from typing import TextIO


class Log:
    """Writes lines with `time` (UTC), `level`, `monitor` (empty: the service itself), `event` and `message`."""

    def __init__(self, to: TextIO | None = None) -> None:
        self.to = to or sys.stdout

    def __call__(self, event: str, message: str, monitor: str = "", level: str = "info") -> None:
        """Write one line."""
        at = datetime.now(UTC).isoformat(timespec="milliseconds")
        line = {"time": at, "level": level, "monitor": monitor, "event": event, "message": message}
        try:
            print(json.dumps(line, ensure_ascii=False), file=self.to, flush=True)
        except OSError:  # who reads the log has gone, or its disk is full: the watches go on
            return
