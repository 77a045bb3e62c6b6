"""Supervisor: runs the monitors of a site file until it is told to stop, whatever happens to one of them."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType
from typing import Any

from lynkeus.core import SettingsError, StoreError
from lynkeus.monitor.records import Owner
from lynkeus.monitor.service.logs import Log
from lynkeus.monitor.service.models import Models, own_folder
from lynkeus.monitor.service.monitored import Monitored, Telling
from lynkeus.monitor.service.notify import Notifier
from lynkeus.monitor.service.plan import MonitorPlan, SitePlan
from lynkeus.monitor.service.records import (
    Supervised,
    TakenOverError,
    beat,
    claim_service,
    note_state,
    release_service,
)
from lynkeus.monitor.store import Store

TICK_S = 0.05
BEAT_S = 5.0


class Supervisor:
    """Runs all monitors of a plan; `command` starts the process of one. `run` returns the exit code: 0, or 1 where a
    monitor was given up and no other one runs. Raises StoreError where another service holds a store."""

    def __init__(self, plan: SitePlan, command: Sequence[str], log: Log, reread: Callable[[], SitePlan]) -> None:
        self.plan, self.command, self.log, self.reread = plan, command, log, reread
        self.owner = Owner.here()
        self.stores: dict[str, Store] = {}
        self.monitored: dict[str, Monitored] = {}
        self.leaving: list[Monitored] = []
        self.stopping = self.reload_asked = False
        self.notifier = Notifier()
        self._beaten_s = self._looked_s = 0.0
        self._unsaid: list[tuple[str, Supervised]] = []
        self._said = ""

    def run(self) -> int:
        """Supervise until SIGTERM or SIGINT, or until nothing is left that runs."""
        with own_folder() as folder:
            self.models = Models(folder)
            return self._run()

    def _run(self) -> int:
        before = {number: signal.signal(number, self._signalled) for number in _signals()}
        try:
            for url in self.plan.stores:
                self._hold(url)
            for wanted in self.plan.monitors:
                self._add(wanted)
            self._stamp = _stamp(self.plan.file)
            self._loop()
        finally:
            for one in (*self.monitored.values(), *self.leaving):
                one.kill()
            for store in self.stores.values():
                self._quietly(release_service, store, self.owner)
                store.close()
            for number, handler in before.items():
                signal.signal(number, handler)
        left = [one for one in self.monitored.values() if one.state == "gave up"]
        return 1 if left and not self.stopping else 0

    def _signalled(self, number: int, _frame: FrameType | None) -> None:
        if number == getattr(signal, "SIGHUP", None):
            self.reload_asked = True
        else:
            self.stopping = True

    def _hold(self, url: str) -> None:
        store = Store(url)
        try:
            claim_service(store, self.owner, str(self.plan.file))
        except StoreError:
            store.close()
            raise
        self.stores[url] = store

    def _add(self, plan: MonitorPlan) -> None:
        one = Monitored(plan, self.plan.service, self.command, Telling(self.log, self._note))
        one.model = self.models.copy(plan.name, plan.model)
        self.monitored[plan.name] = one
        one.begin()

    def _note(self, name: str, state: str, why: str, restarts: int, pid: int) -> None:
        plan = self.monitored[name].plan if name in self.monitored else None
        url = plan.facts.store if plan else next(iter(self.stores))
        self._unsaid.append((url, Supervised(name, state, why, restarts, pid, time.time_ns())))

    def _quietly(self, what: Callable[..., Any], *given: Any) -> bool:
        """Do what the service can live without for a while; return whether it worked."""
        try:
            what(*given)
        except TakenOverError:
            raise
        except StoreError as error:
            if self._said != str(error):  # once, not at each try
                self.log("store", str(error), "", "warning")
            self._said = str(error)
            return False
        return True

    def _loop(self) -> None:
        ready = False
        while True:
            now = time.monotonic()
            for one in (*self.monitored.values(), *self.leaving):
                one.tick()
            self.leaving = [one for one in self.leaving if one.child is not None]
            self._tell(now)
            if not ready and all(one.state != "starting" for one in self.monitored.values()):
                ready = True
                self.notifier.say("READY=1")
                self.log("ready", f"{len(self.monitored)} monitors of {self.plan.file}")
            self.notifier.alive()
            everything = (*self.monitored.values(), *self.leaving)
            if all(one.over and not one.due_s for one in everything):
                self._tell(now)
                return
            if self.stopping:
                self._stop()
            elif self.reload_asked or self._changed(now):
                self._reload()
            time.sleep(TICK_S)

    def _stop(self) -> None:
        self.notifier.say("STOPPING=1")
        for one in self.monitored.values():
            if one.state not in ("stopping", "stopped"):
                one.stop()

    def _tell(self, now: float) -> None:
        """Write what happened into the stores, and say that the service lives."""
        while self._unsaid and self._quietly(note_state, self.stores[self._unsaid[0][0]], self._unsaid[0][1]):
            self._unsaid.pop(0)
        if now - self._beaten_s > BEAT_S:
            self._beaten_s = now
            for store in self.stores.values():
                self._quietly(beat, store, self.owner)
            states = [one.state for one in self.monitored.values()]
            self.notifier.say(f"STATUS={states.count('running')} of {len(states)} monitors are running")

    def _changed(self, now: float) -> bool:
        """Whether the file changed and has come to rest; models that changed go into shadow."""
        every_s = self.plan.service.reload_s
        if not every_s or now - self._looked_s < every_s:
            return False
        self._looked_s = now
        for one in list(self.monitored.values()):
            able = one.state == "gave up" or (one.child is not None and one.state == "running")
            changed = self.models.changed(one.name, one.plan.model) if able else None
            if changed is not None:
                self._replace(one, changed)
        stamp = _stamp(self.plan.file)
        return stamp is not None and stamp != self._stamp and time.time_ns() - stamp[1] > 0.2e9

    def _replace(self, one: Monitored, model: Path) -> None:
        if one.plan.shadow_windows and one.child is not None:
            one.begin_shadow(model)
        else:
            self._restart(one, one.plan, model)

    def _reload(self) -> None:
        self.reload_asked = False
        self._stamp = _stamp(self.plan.file)
        micros = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        self.notifier.say(f"RELOADING=1\nMONOTONIC_USEC={micros}")
        try:
            plan = self.reread()
            for url in plan.stores:
                if url not in self.stores:
                    self._hold(url)
        except (SettingsError, StoreError) as error:
            self.log("reload", f"{error}; going on as before", "", "error")
            self.notifier.say("READY=1")
            return
        self.plan = plan
        wanted = {one.name: one for one in plan.monitors}
        for name in [name for name in self.monitored if name not in wanted]:
            gone = self.monitored.pop(name)
            gone.stop()
            self.leaving.append(gone)
        for name, new in wanted.items():
            self._apply(name, new)
        self.log("reload", f"{plan.file} was read again: {len(wanted)} monitors")
        self.notifier.say("READY=1")

    def _apply(self, name: str, new: MonitorPlan) -> None:
        one = self.monitored.get(name)
        if one is None:
            self._add(new)
            return
        one.settings = self.plan.service
        old, one.plan = one.plan, new
        only_model = MonitorPlan(**vars(old) | {"model": new.model, "shadow_windows": new.shadow_windows}) == new
        running = one.child is not None and one.state == "running"
        if only_model and new.model == old.model:
            if one.over and one.state == "gave up":
                self._restart(one, new, self.models.copy(name, new.model))
        elif only_model and running:
            self._replace(one, self.models.copy(name, new.model))
        else:
            self._restart(one, new, self.models.copy(name, new.model))

    def _restart(self, one: Monitored, plan: MonitorPlan, model: Path) -> None:
        """Let one end, and another take its place once it has."""
        fresh = Monitored(plan, self.plan.service, self.command, Telling(self.log, self._note))
        fresh.model = model
        one.stop()
        self.monitored[plan.name] = fresh
        if one.child is None:
            fresh.begin()
            return
        self.leaving.append(one)
        # The process that ends holds the name in the store until it has: the next one would be refused.
        fresh.after = one


def _signals() -> tuple[int, ...]:
    names = ("SIGTERM", "SIGINT", "SIGHUP")
    return tuple(getattr(signal, name) for name in names if hasattr(signal, name))


def _stamp(file: Path) -> tuple[int, int, int] | None:
    try:
        about = file.stat()
    except OSError:
        return None
    return about.st_ino, about.st_mtime_ns, about.st_size
