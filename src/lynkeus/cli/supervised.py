"""The process of one monitor of `lynkeus run`: python -m lynkeus.cli.supervised, which its supervisor starts.

It is given its plan and then orders on standard input, a line each, and ends when that is closed: a supervisor that
was killed leaves nobody behind.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

import lynkeus.cli._one_thread  # noqa: F401 - before anything imports NumPy

if TYPE_CHECKING:
    from collections.abc import Callable

    from lynkeus.fitting.fitted import Fitted
    from lynkeus.monitor.service.plan import MonitorPlan
    from lynkeus.monitor.watch import Watched

EVERY_S = 1.0
TURNS_S = 5.0  # a live source that has not turned for so long hangs


class Supervised:
    """Speaks with the supervisor: `event` says what happens here, `orders` are heard by a thread."""

    def __init__(self, plan: MonitorPlan, shadow: bool) -> None:
        self.plan, self.shadow = plan, shadow
        self.promote = threading.Event()
        self._next_s = 0.0
        self._agreed = False

    def event(self, event: str, **fields: Any) -> None:
        """Say what happens."""
        try:
            print(json.dumps({"event": event, **fields}), flush=True)
        except (BrokenPipeError, ValueError):
            os.kill(os.getpid(), signal.SIGINT)

    def orders(self) -> None:
        """Hear orders until the supervisor closes the line, or says stop."""
        for line in sys.stdin:
            if line.strip() == "promote":
                self.promote.set()
            elif line.strip() == "stop":
                break
        os.kill(os.getpid(), signal.SIGINT)  # the watch ends as by Ctrl-C: what was committed is kept

    def ready(self, fitted: Fitted, source: Any, store: Any, publish: Callable[[], None]) -> None:
        """Say that it watches from now on."""
        self.fitted, self.store, self.publish = fitted, store, publish
        rate = fitted.view.schema.sample_rate_hz
        self.event("ready", window_s=max(fitted.view.window, 1) / rate if rate else 0.0)
        threading.Thread(target=self._pulse, args=(source,), daemon=True).start()

    def folder(self) -> None:
        """Say that a folder is watched from now on; of two models only one judges, so a new one waits for its turn."""
        if self.shadow:
            self.event("agrees", text="runs and images are judged by the new model as soon as the old one has ended")
            self.promote.wait()
            self.shadow = False
            self.event("promoted", text="the new model has taken over")
        else:
            self.event("ready")
        threading.Thread(target=self._pulse, args=(None,), daemon=True).start()

    def _pulse(self, source: Any) -> None:
        """Say that it lives: of a source that may have nothing for long; of a live one as long as it turns."""
        from lynkeus.sources.wrappers.wrapper import innermost

        inner = innermost(source)
        while True:
            if not getattr(inner, "is_live", False) or time.monotonic() - getattr(inner, "turned_s", 0.0) < TURNS_S:
                self.event("alive")
            time.sleep(EVERY_S)

    def tick(self, run: Watched) -> None:
        """After each commit: say that it lives, compare, take over."""
        now = time.monotonic()
        if self.shadow and self.promote.is_set():
            text = self.store.promote(self.fitted, run)
            self.shadow = False
            self.event("promoted", text=text)
            self.publish()
        if now < self._next_s:
            return
        self._next_s = now + EVERY_S
        self.event("tick", windows=run.windows, alarms=run.alarms, end_ns=run.end_ns)
        if self.shadow and not self._agreed:
            wanted = self.plan.shadow_windows
            found = self.store.compare(wanted)
            self._agreed = found.enough(wanted)
            self.event("agrees" if self._agreed else "compared", text=found.says(wanted))


def main() -> None:
    """Read the plan, watch, and say how it ended."""
    from lynkeus.core import LynkeusError
    from lynkeus.monitor.service.plan import MonitorPlan

    signal.signal(signal.SIGTERM, signal.getsignal(signal.SIGINT))
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    given = json.loads(sys.stdin.readline() or "null")
    if given is None:
        return
    one = Supervised(MonitorPlan.of_text(given["plan"]), given["shadow"])
    threading.Thread(target=one.orders, daemon=True).start()
    try:
        code = _watch(one)
    except KeyboardInterrupt:
        code = 0
    except (LynkeusError, OSError) as error:
        one.event("failed", kind=type(error).__name__)
        where = f"{error.filename}: " if isinstance(error, OSError) and error.filename else ""
        print(" ".join(f"lynkeus: {where}{error}".split()), file=sys.stderr, flush=True)
        code = 2
    sys.stdout.flush()
    os._exit(code)  # not to wait for threads of clients that may hang on a lost server


def _watch(one: Supervised) -> int:
    from pathlib import Path

    from lynkeus.cli.options import WatchOptions
    from lynkeus.cli.watch import Hooks, watch_data
    from lynkeus.monitor.service.shadow import Shadow

    plan = one.plan
    meta = str(Path(plan.meta)) if plan.meta else None
    options = WatchOptions(
        plan.model, plan.source, publish=list(plan.publish), false_alarms=plan.false_alarms, meta=meta, maps=plan.maps
    )
    hooks = Hooks(Shadow if one.shadow else None, one.ready, one.tick, one.shadow, one.folder)
    return watch_data(options, plan.facts, hooks)


if __name__ == "__main__":
    main()
