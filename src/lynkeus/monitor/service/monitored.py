"""Monitored: one monitor of a service over all its processes: started, restarted, given up, replaced without a gap."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from lynkeus.monitor.service.child import Child, Heard, memory_of
from lynkeus.monitor.service.plan import MonitorPlan, ServiceSettings

STEADY_S = 60.0  # one that ran for so long begins to count its failures anew
COMPARED_S = 10.0  # between two lines on how a shadow does
STOP_S = 10.0  # to end by itself
WAITS = ("StoreError",)  # what passes by itself, such as a database that is started again: never given up


class Telling(NamedTuple):
    """How a monitored one speaks: `log` (event, message, monitor, level), and `note` its state (name, state, why,
    restarts, pid)."""

    log: Callable[[str, str, str, str], None]
    note: Callable[[str, str, str, int, int], None]


class Monitored:
    """`plan` is what should run. `tick` moves it on; `state` is one of starting, running, restarting, gave up,
    finished, stopping, stopped."""

    def __init__(self, plan: MonitorPlan, settings: ServiceSettings, command: Sequence[str], telling: Telling) -> None:
        self.plan, self.settings, self.command, self.telling = plan, settings, command, telling
        self.state, self.why = "starting", ""
        self.child: Child | None = None
        self.shadow: Child | None = None
        self.model: Path = plan.model  # the copy that runs
        self.next_model: Path | None = None
        self.failures = self.restarts = 0
        self.failed_by = ""
        self.due_s = self.compared_s = 0.0
        self.stop_by_s = 0.0
        self.promoting = False
        self.after: Monitored | None = None  # whose place it takes as soon as that has ended

    @property
    def name(self) -> str:
        """Return the name of the monitor."""
        return self.plan.name

    @property
    def over(self) -> bool:
        """Return whether nothing runs, and nothing will by itself."""
        return self.child is None and self.shadow is None and self.state in ("gave up", "finished", "stopped")

    def _is(self, state: str, why: str = "", level: str = "info") -> None:
        if (state, why) != (self.state, self.why) or not why:
            self.telling.log(state, why, self.name, level)
            self.telling.note(self.name, state, why, self.restarts, self.child.pid if self.child else 0)
        self.state, self.why = state, why

    def begin(self) -> None:
        """Start the process."""
        self.promoting, self.failed_by, self.stop_by_s = False, "", 0.0
        self.child = Child(self.command, self._text(self.model), shadow=False)
        self._is("starting", f"process {self.child.pid}")

    def _text(self, model: Path) -> str:
        return MonitorPlan(**vars(self.plan) | {"model": model}).text()

    def begin_shadow(self, model: Path) -> None:
        """Let a new model run beside the old one until it agrees."""
        self._end_shadow()
        self.next_model = model
        self.shadow = Child(self.command, self._text(model), shadow=True)
        count = self.plan.shadow_windows
        self.telling.log("shadow", f"the new model runs in shadow for {count} windows", self.name, "info")
        self._is("running", f"a new model runs in shadow, process {self.shadow.pid}")

    def stop(self) -> None:
        """Ask all of it to end; `tick` waits for that."""
        self._end_shadow()
        self.due_s, self.after = 0.0, None
        if self.child is None:
            self._is("stopped")
        elif not self.child.stopping:
            self.child.stop()
            self.stop_by_s = time.monotonic() + STOP_S
            self._is("stopping")

    def tick(self) -> None:
        """Hear the processes, and start, restart or replace what is due."""
        now = time.monotonic()
        if self.after is not None:
            if self.after.child is None:
                self.after = None
                self.begin()
            return
        if self.child is not None:
            for heard in self.child.hear():
                self._heard(self.child, heard)
            self._look(self.child, now)
            code = self.child.ended()
            if code is not None:
                self._ended(self.child, code, now)
        elif self.state in ("restarting", "finished", "starting") and 0 < self.due_s <= now:
            self.due_s = 0.0
            self.begin()
        if self.shadow is not None:
            self._tick_shadow(self.shadow)

    def _heard(self, child: Child, heard: Heard) -> None:
        if heard.event == "says":
            self.telling.log("says", heard.fields["text"], self.name, "info")
        elif heard.event == "ready":
            child.ready = True
            child.window_s = float(heard.fields.get("window_s", 0.0))
            self._is("running")
        elif heard.event == "failed":
            self.failed_by = str(heard.fields.get("kind", ""))

    def _look(self, child: Child, now: float) -> None:
        """Kill what is too large, hangs, or does not stop."""
        used = memory_of(child.pid) if self.plan.memory else 0
        silent_s = now - child.heard_s
        if child.stopping:
            if now > self.stop_by_s > 0:
                self.telling.log("killed", f"it did not end within {STOP_S:g} s", self.name, "warning")
                child.kill()
        elif used > self.plan.memory > 0:
            child.last = f"it held {used / 1e6:.0f} MB of memory, more than {self.plan.memory / 1e6:.0f} MB"
            child.kill()
        elif silent_s > max(self.settings.hang_s, 5 * child.window_s):
            child.last = f"no sign of life for {silent_s:.0f} s"
            child.kill()

    def _ended(self, child: Child, code: int, now: float) -> None:
        for heard in child.hear():
            self._heard(child, heard)
        child.close()
        self.child = None
        if self.promoting:
            return  # its place is taken by the shadow
        if child.stopping:
            self._is("stopped")
            return
        if code in (0, 1):
            again = self.plan.again_s
            self.due_s = now + again if again else 0.0
            self._is("finished", f"its source has ended{f'; again in {again:g} s' if again else ''}")
            self._end_shadow()
            return
        self._failed(child, code, now)

    def _failed(self, child: Child, code: int, now: float) -> None:
        why = child.last or (f"it was ended by signal {-code}" if code < 0 else f"exit code {code}")
        if code < 0 and why != child.last:
            why = f"it was ended by signal {-code}"
        steady = now - child.begun_s > STEADY_S
        self.failures = 1 if steady else self.failures + (self.failed_by not in WAITS)
        if self.failures >= self.settings.give_up_after:
            self._end_shadow()
            times = f"after {self.failures} failures in a row: {why}"
            self._is("gave up", f"{times}; mend it, then reload (SIGHUP) or change the site file", "error")
            return
        self.restarts += 1
        wait_s = min(self.settings.backoff_s * 2 ** max(self.failures - 1, 0), self.settings.longest_backoff_s)
        wait_s *= random.uniform(0.8, 1.2)
        self.due_s = now + wait_s
        self._is("restarting", f"in {wait_s:.1f} s: {why}", "warning")

    def _tick_shadow(self, shadow: Child) -> None:
        for heard in shadow.hear():
            if heard.event == "says":
                self.telling.log("shadow", heard.fields["text"], self.name, "info")
            elif heard.event == "compared" and time.monotonic() > self.compared_s + COMPARED_S:
                self.compared_s = time.monotonic()
                self._is("running", str(heard.fields["text"]))
            elif heard.event == "agrees" and not self.promoting:
                self.telling.log("shadow", str(heard.fields["text"]), self.name, "info")
                self.promoting = True
                if self.child is not None:
                    self.child.stop()
                    self.stop_by_s = time.monotonic() + STOP_S
            elif heard.event == "promoted":
                self._promoted(shadow, str(heard.fields["text"]))
                return
        if self.promoting and self.child is None and not shadow.stopping and not shadow.ready:
            shadow.ready = True  # the order is given once
            shadow.order("promote")
        code = shadow.ended()
        if code is None:
            return
        shadow.close()
        self.shadow = None
        why = shadow.last or f"exit code {code}"
        if self.promoting:  # the old one has ended already: begin with the new model as usual
            self.promoting, self.model = False, self.next_model or self.model
            self.due_s = time.monotonic()
            self._is("restarting", f"the new model did not take over: {why}", "warning")
        elif not shadow.stopping:
            self._is("running", f"the new model failed in shadow, the old one goes on: {why}", "warning")

    def _promoted(self, shadow: Child, says: str) -> None:
        shadow.shadow = False
        self.child, self.shadow, self.promoting = shadow, None, False
        self.model = self.next_model or self.model
        self.failures = 0
        self.telling.log("promoted", says, self.name, "info")
        self._is("running")

    def _end_shadow(self) -> None:
        if self.shadow is not None:
            self.shadow.stopping = True
            self.shadow.kill()
            self.shadow.close()
            self.shadow = None

    def kill(self) -> None:
        """End all processes at once."""
        for child in (self.child, self.shadow):
            if child is not None:
                child.kill()
                child.close()
        self.child = self.shadow = None
