"""The machine of the soak: a PVA server in a process of its own, with faults on a plan.

python device.py PORT CHANNELS RATE_HZ BEGUN SENT: `RATE_HZ` shots a second since `BEGUN` (seconds since 1970); SENT:
file to which the times of what was sent go. A signal USR1 sets its clock one hour ahead, USR2 one hour back.
"""

import signal
import sys
import time
import warnings
from pathlib import Path

import numpy as np

warnings.filterwarnings("ignore")
FIRST_S, EVERY_S, LASTS_S = 50.0, 40.0, 8.0  # the first fault, from one to the next, and how long each lasts
KINDS = ("offset", "noisy", "stuck")


def fault_at(second: float, channels: int) -> tuple[str, int] | None:
    """Return kind and channel of the fault that is there so many seconds after the beginning."""
    number, since = divmod(second - FIRST_S, EVERY_S)
    if number < 0 or since >= LASTS_S:
        return None
    return KINDS[int(number) % len(KINDS)], int(7 * number + 3) % channels


def shot(source: np.random.Generator, channels: int) -> np.ndarray:
    """Return values (channels,) of three common motions and noise."""
    mixing = np.random.default_rng(1).normal(size=(3, channels))
    return source.normal(size=3) @ mixing + 0.3 * source.normal(size=channels)


def main(port: str, channels: int, rate_hz: float, begun: float, sent: Path) -> None:
    """Serve until killed."""
    from p4p.nt import NTScalar
    from p4p.server import Server
    from p4p.server.thread import SharedPV

    pvs = {f"SOAK:{k:02d}": SharedPV(nt=NTScalar("d"), initial=0.0) for k in range(channels)}
    environment = {
        "EPICS_PVAS_INTF_ADDR_LIST": "127.0.0.1", "EPICS_PVAS_SERVER_PORT": port, "EPICS_PVAS_BROADCAST_PORT": "0",
        "EPICS_PVAS_AUTO_BEACON_ADDR_LIST": "NO", "EPICS_PVAS_BEACON_ADDR_LIST": "127.0.0.1",
    }  # fmt: skip
    ahead = [0.0]
    signal.signal(signal.SIGUSR1, lambda *_: ahead.__setitem__(0, ahead[0] + 3600.0))
    signal.signal(signal.SIGUSR2, lambda *_: ahead.__setitem__(0, ahead[0] - 3600.0))
    with Server(providers=[pvs], conf=environment, useenv=False) as server, sent.open("a") as log:
        print(server.conf()["EPICS_PVA_SERVER_PORT"], flush=True)
        source, held, ready = np.random.default_rng(int(time.time())), np.zeros(channels), time.time()
        for number in range(10**9):
            now = time.time()
            values, fault = shot(source, channels), fault_at(now - begun, channels)
            if fault is not None:
                kind, channel = fault
                if kind == "stuck":
                    values[channel] = held[channel]
                else:
                    values[channel] += 1.8 if kind == "offset" else source.normal(0, 1.8)
            held = values
            for k in range(channels):
                pvs[f"SOAK:{k:02d}"].post(float(values[k]), timestamp=now + ahead[0])
            log.write(f"{now - begun:.3f}\n")
            log.flush()
            time.sleep(max(0.0, ready + (number + 1) / rate_hz - time.time()))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), float(sys.argv[4]), Path(sys.argv[5]))
