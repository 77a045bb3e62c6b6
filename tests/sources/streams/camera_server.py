"""A camera of its own process: python camera_server.py PORT RATE_HZ FAULT_AFTER_S KIND; it prints its port."""

import sys
import time
import warnings

import numpy as np

warnings.filterwarnings("ignore")
ROWS, COLUMNS = 48, 64


def frame(random: np.random.Generator, fault: bool, kind: str) -> np.ndarray:
    """A beam spot that moves a little; with a fault a second, weaker one beside it."""
    y, x = np.mgrid[:ROWS, :COLUMNS]
    left, top = random.normal((32, 24))
    counts = 120 * np.exp(-((x - left) ** 2 + (y - top) ** 2) / 80) + random.normal(20, 3, (ROWS, COLUMNS))
    if fault:
        counts[5:11, 50:56] += 60
    return (np.clip(counts, 0, 255) * (1 if kind == "uint8" else 10)).astype(kind)


def main(port: str, rate_hz: float, fault_after_s: float, kind: str) -> None:
    from p4p.nt import NTNDArray, NTScalar
    from p4p.server import Server
    from p4p.server.thread import SharedPV

    form, random = NTNDArray(), np.random.default_rng(int(time.time()))
    camera = SharedPV(initial=form.wrap(frame(random, False, kind)))
    pvs = {"CAM:IMAGE": camera, "CAM:GAIN": SharedPV(nt=NTScalar("d"), initial=1.0)}
    environment = {
        "EPICS_PVAS_INTF_ADDR_LIST": "127.0.0.1", "EPICS_PVAS_SERVER_PORT": port, "EPICS_PVAS_BROADCAST_PORT": "0",
        "EPICS_PVAS_AUTO_BEACON_ADDR_LIST": "NO", "EPICS_PVAS_BEACON_ADDR_LIST": "127.0.0.1",
    }  # fmt: skip
    with Server(providers=[pvs], conf=environment, useenv=False) as server:
        print(server.conf()["EPICS_PVA_SERVER_PORT"], flush=True)
        begun = time.time()
        for number in range(1, 10**9):
            now = time.time()
            value = form.wrap(frame(random, now - begun > fault_after_s, kind))
            value["uniqueId"] = number
            value["dataTimeStamp.secondsPastEpoch"], value["dataTimeStamp.nanoseconds"] = int(now), int(now % 1 * 1e9)
            if number % 10:  # one in ten is lost on its way
                camera.post(value)
            time.sleep(max(0.0, begun + (number + 1) / rate_hz - time.time()))


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]), float(sys.argv[3]), sys.argv[4])
