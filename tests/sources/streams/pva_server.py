"""A PVA server of its own process: python pva_server.py PORT CHANNELS RATE_HZ OFFSET_AFTER_S; it prints its port."""

import sys
import time
import warnings

import numpy as np

warnings.filterwarnings("ignore")


def main(port: str, channels: int, rate_hz: float, offset_after_s: float) -> None:
    from p4p.nt import NTScalar
    from p4p.server import Server
    from p4p.server.thread import SharedPV

    number, vector = NTScalar("d"), NTScalar("ad")
    pvs = {f"T:{k}": SharedPV(nt=number, initial=0.0) for k in range(channels)}
    pvs["T:VECTOR"] = SharedPV(nt=vector, initial=np.zeros(3))
    pvs["T:SET"] = SharedPV(nt=number, initial=7.0)  # is set now and then
    environment = {
        "EPICS_PVAS_INTF_ADDR_LIST": "127.0.0.1", "EPICS_PVAS_SERVER_PORT": port, "EPICS_PVAS_BROADCAST_PORT": "0",
        "EPICS_PVAS_AUTO_BEACON_ADDR_LIST": "NO", "EPICS_PVAS_BEACON_ADDR_LIST": "127.0.0.1",
    }  # fmt: skip
    with Server(providers=[pvs], conf=environment, useenv=False) as server:
        print(server.conf()["EPICS_PVA_SERVER_PORT"], flush=True)
        source = np.random.default_rng(int(time.time()))
        mixing = np.random.default_rng(1).normal(size=(2, channels))
        begun = time.time()
        for shot in range(10**9):
            now = time.time()
            values = source.normal(size=2) @ mixing + 0.3 * source.normal(size=channels)
            values[1] += 6.0 if now - begun > offset_after_s else 0.0
            for k in range(channels):
                pvs[f"T:{k}"].post(float(values[k]), timestamp=now)
            pvs["T:VECTOR"].post(source.normal(size=3), timestamp=now)
            time.sleep(max(0.0, begun + (shot + 1) / rate_hz - time.time()))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), float(sys.argv[4]))
