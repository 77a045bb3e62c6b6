"""A Channel Access IOC of its own process: python ca_server.py PORT CHANNELS RATE_HZ; it prints its port."""

import os
import sys


def main(port: str, channels: int, rate_hz: float) -> None:
    import asyncio
    import socket
    import time

    if port == "0":
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = str(free.getsockname()[1])
    os.environ |= {"EPICS_CA_SERVER_PORT": port, "EPICS_CAS_BEACON_ADDR_LIST": "127.0.0.1",
                   "EPICS_CAS_AUTO_BEACON_ADDR_LIST": "NO"}  # fmt: skip
    import numpy as np
    from caproto import ChannelData, ChannelDouble
    from caproto.asyncio.server import Context

    names = [f"C:{k}" for k in range(channels)]
    pvs: dict[str, ChannelData] = {name: ChannelDouble(value=0.0) for name in names}
    pvs["C:WAVE"] = ChannelDouble(value=[0.0, 0.0, 0.0])

    async def post() -> None:
        source, begun = np.random.default_rng(1), time.time()
        for shot in range(10**9):
            now = time.time()
            for name in names:
                await pvs[name].write(float(source.normal()), timestamp=now)
            await pvs["C:WAVE"].write([float(shot), 1.0, 2.0], timestamp=now)
            await asyncio.sleep(max(0.001, begun + (shot + 1) / rate_hz - time.time()))

    async def serve() -> None:
        context = Context(pvs, interfaces=["127.0.0.1"])
        poster = asyncio.create_task(post())
        print(port, flush=True)
        await context.run(log_pv_names=False)
        poster.cancel()

    asyncio.run(serve())


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]))
