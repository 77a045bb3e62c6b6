"""Numbered updates by PVAccess: python device.py CHANNELS RATE_HZ LOG LOSE; it prints its port.

Every channel is sent the number of the shot. LOSE of the updates, chosen at random, and as many whole shots are left
out; LOG gets a line for each shot: its number and the channels that were left out.
"""

import os
import sys
import time
import warnings
from pathlib import Path

import numpy as np

warnings.filterwarnings("ignore")


def main(channels: int, rate_hz: float, log: Path, lose: float) -> None:
    """Serve until killed."""
    from p4p.nt import NTScalar
    from p4p.server import Server
    from p4p.server.thread import SharedPV

    os.sched_setaffinity(0, {os.cpu_count() - 1})  # type: ignore[operator]
    pvs = [SharedPV(nt=NTScalar("d"), initial=0.0) for _ in range(channels)]
    environment = {
        "EPICS_PVAS_INTF_ADDR_LIST": "127.0.0.1", "EPICS_PVAS_SERVER_PORT": "0", "EPICS_PVAS_BROADCAST_PORT": "0",
        "EPICS_PVAS_AUTO_BEACON_ADDR_LIST": "NO", "EPICS_PVAS_BEACON_ADDR_LIST": "127.0.0.1",
    }  # fmt: skip
    random, named = np.random.default_rng(5), {f"LIVE:{k:03d}": pv for k, pv in enumerate(pvs)}
    with Server(providers=[named], conf=environment, useenv=False) as server, log.open("w") as out:
        print(server.conf()["EPICS_PVA_SERVER_PORT"], flush=True)
        begun = time.time()
        for number in range(1, 10**9):
            now = time.time()
            left_out = random.random(channels) < lose if random.random() > 10 * lose else np.ones(channels, bool)
            for k in np.flatnonzero(~left_out):
                pvs[k].post(float(number), timestamp=now)
            out.write(f"{number} {' '.join(map(str, np.flatnonzero(left_out)))}\n")
            out.flush()
            time.sleep(max(0.0, begun + number / rate_hz - time.time()))


if __name__ == "__main__":
    main(int(sys.argv[1]), float(sys.argv[2]), Path(sys.argv[3]), float(sys.argv[4]))
