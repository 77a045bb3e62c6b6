"""Large buffers of networks come and go many times a second: give them back to the system less often."""

from __future__ import annotations

import ctypes
from contextlib import suppress

MMAP_MAX, TRIM_THRESHOLD = -4, -1  # parameters of glibc's mallopt
LARGEST = 2**31 - 1


def keep_freed_memory() -> None:
    """Let the process keep freed memory; elsewhere than with glibc nothing happens.

    Otherwise each large tensor is new memory of which every page is filled with zeros first: a third of the time of a
    backbone on images of a megapixel.
    """
    with suppress(OSError, AttributeError):
        libc = ctypes.CDLL(None)
        libc.mallopt(MMAP_MAX, 0)
        libc.mallopt(TRIM_THRESHOLD, LARGEST)
