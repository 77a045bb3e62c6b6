"""Retrain: the commands `lynkeus fit` and `lynkeus score` once more, with the labels of people, beside the server."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any

from lynkeus.monitor.store import Store
from lynkeus.web.pads.shown import ShownPads

LONGEST_S = 1800


class Retrain:
    """One training at a time; its model is written over that of the table, then the table."""

    def __init__(self, store: str) -> None:
        self.store = store
        self._lock = threading.Lock()
        self._running, self._said, self._done = False, "", 0

    def possible(self, pads: ShownPads) -> bool:
        """Return whether the table says by which model and of which spectra it is, and these are there."""
        data, model = (pads.table.about.get(name) for name in ("data", "model"))
        return bool(data and model and Path(data).is_file() and Path(model).is_dir())

    def start(self, pads: ShownPads) -> str:
        """Begin in a thread; return why it cannot be, else ''."""
        if not self.possible(pads):
            return "the spectra or the model are not where they were when the pads were judged"
        store = self.store
        if not labelled(pads, store):
            return "nobody has labelled a pad yet"
        with self._lock:
            if self._running:
                return "a training runs already"
            self._running, self._said = True, ""
        threading.Thread(target=self._run, args=(pads.table.path, dict(pads.table.about), store), daemon=True).start()
        return ""

    def state(self) -> dict[str, Any]:
        """Return whether one runs, what the last one said, and how many are done."""
        with self._lock:
            return {"running": self._running, "said": self._said, "done": self._done}

    def _run(self, table: Path, about: dict[str, Any], store: str) -> None:
        said = ""
        try:
            with tempfile.TemporaryDirectory(prefix="lynkeus-") as folder:
                for arguments in commands(about, store, table, Path(folder)):
                    made = subprocess.run(
                        [sys.executable, "-m", "lynkeus", *arguments], capture_output=True, text=True,
                        timeout=LONGEST_S, check=False, env=os.environ,
                    )  # fmt: skip
                    said = made.stderr.strip().splitlines()[-1] if made.stderr.strip() else ""
                    if made.returncode:
                        break
        except (OSError, subprocess.TimeoutExpired) as error:
            said = str(error)
        with self._lock:
            self._running, self._said, self._done = False, said, self._done + 1


def commands(about: dict[str, Any], store: str, table: Path, folder: Path) -> list[list[str]]:
    """Return the arguments of `lynkeus` that fit the model again and judge the pads by it."""
    fit = ["fit", about["data"], "-s", "pad_spectrum", "--verdicts", store, "-o", about["model"]]
    layout = about.get("layout")
    if layout:
        file = folder / "layout.toml"
        file.write_text(_toml(layout), encoding="utf-8")
        fit += ["--layout", str(file)]
    if about.get("labels"):
        fit += ["--labels", about["labels"]]
    return [fit, ["score", about["model"], about["data"], "-o", str(table)]]


def _toml(layout: dict[str, Any]) -> str:
    lines = [f"instrument = {json.dumps(layout.get('instrument', ''))}", "", "[pads]"]
    lines += [f"{name} = {json.dumps(value)}" for name, value in (layout.get("pads") or {}).items()]
    return "\n".join(lines) + "\n"


def labelled(pads: ShownPads, store: str) -> bool:
    """Return whether anybody has labelled one of these pads."""
    own = Store(store)
    try:
        return bool(pads.said(own))
    finally:
        own.close()
