"""The clock of the service can be stepped: Python reads this file at its start where its folder is in PYTHONPATH.

`SOAK_CLOCK` names a file whose size is how many seconds the clock of this machine is ahead; setting the clock itself
would step it for all programs of the machine.
"""

import os
import time

_file, _real_ns = os.environ.get("SOAK_CLOCK", ""), time.time_ns


def _now_ns() -> int:
    try:
        return _real_ns() + os.stat(_file).st_size * 1_000_000_000
    except OSError:
        return _real_ns()


if _file:
    time.time_ns = _now_ns
    time.time = lambda: _now_ns() / 1e9
