"""Models of a service: copies that stay what they are while somebody writes a new model into the same folder."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from lynkeus.files.model_folder import SUMS

Stamp = tuple[int, int, int]
PREFIX, LOCK = "lynkeus-run-", "lock"


@contextmanager
def own_folder() -> Iterator[Path]:
    """Give a folder for copies, which goes with the service; those of services that were killed go now."""
    for path in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        with suppress(OSError):
            _remove_abandoned(path)
    folder = Path(tempfile.mkdtemp(prefix=PREFIX))
    try:
        with (folder / LOCK).open("w") as lock:
            _lock(lock.fileno())
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _remove_abandoned(path: Path) -> None:
    """Remove a folder of ours that no process holds; the lock of one that was killed is free."""
    if path.is_symlink() or not path.is_dir() or not hasattr(os, "getuid") or path.stat().st_uid != os.getuid():
        return
    with (path / LOCK).open("r+") as lock:
        if _lock(lock.fileno()):
            shutil.rmtree(path, ignore_errors=True)


def _lock(number: int) -> bool:
    """Lock an open file as long as it is open; return whether nobody else holds it."""
    try:
        import fcntl
    except ImportError:  # not on Windows
        return False
    try:
        fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


class Models:
    """Copies under `folder`, by hard links where that is possible."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.seen: dict[tuple[str, Path], Stamp | None] = {}
        self.count = 0

    def copy(self, monitor: str, model: Path) -> Path:
        """Return a copy of a model as it is now, for one monitor, in a folder of the same name."""
        self.seen[monitor, model] = _stamp(model)
        self.count += 1
        copied = self.folder / str(self.count) / model.resolve().name
        copied.parent.mkdir(parents=True)
        try:
            if model.is_file():
                shutil.copy2(model, copied)
            else:
                shutil.copytree(model, copied, copy_function=_link)
        except (OSError, shutil.Error):  # it is being replaced at this moment: the process says what is wrong with it
            return model
        return copied

    def changed(self, monitor: str, model: Path) -> Path | None:
        """Return a copy of a model that is another one than when it was last copied, None where it is the same."""
        stamp = _stamp(model)
        if stamp is None or stamp == self.seen.get((monitor, model)):
            return None
        return self.copy(monitor, model)


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:  # another file system, or one that has none
        shutil.copy2(source, target)


def _stamp(model: Path) -> Stamp | None:
    """Return what changes with each model that is written there; None while there is none."""
    try:
        about = (model / SUMS if model.is_dir() else model).stat()
    except OSError:
        return None
    return about.st_ino, about.st_mtime_ns, about.st_size
