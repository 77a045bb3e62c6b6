"""A file or folder that is written whole or not at all."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from lynkeus.core.errors import SourceError


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """Give the place beside `path` to write to; it gets its name at the end, and where that fails nothing is left.

    Raises SourceError saying why it cannot be written.
    """
    partial = path.with_name(path.name + ".partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _remove(partial)
        yield partial
        if path.is_dir():
            path.rmdir()  # an empty one
        os.replace(partial, path)
    except OSError as error:
        reason = "the disk is full" if error.errno == errno.ENOSPC else error.strerror or str(error)
        raise SourceError(f"{path}: cannot be written ({reason}); free some space or choose another -o") from error
    finally:
        with suppress(OSError):
            _remove(partial)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
