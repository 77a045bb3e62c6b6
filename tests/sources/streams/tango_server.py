"""A real Tango device server of its own process, without a database: python tango_server.py PORT."""

import sys
import time

import numpy as np
from tango import AttrQuality, GreenMode
from tango.server import Device, attribute, command
from tango.test_context import DeviceTestContext


class Magnet(Device):
    """Shot numbers as attributes of all forms; `number` is sent as an event, too, ten times a second."""

    green_mode = GreenMode.Synchronous

    def init_device(self) -> None:
        super().init_device()
        self.begun, self.last = time.time(), 0.0
        self.set_change_event("number", True, False)

    def _number(self) -> float:
        return float(int((time.time() - self.begun) * 1000))

    @attribute(dtype=float)
    def number(self) -> float:
        self.last = self._number()
        return self.last

    @attribute(dtype=(float,), max_dim_x=3)
    def wave(self) -> np.ndarray:
        return self.last + np.arange(3.0)  # of the number that was read with it

    @attribute(dtype=float)
    def sometimes(self) -> tuple[float, float, AttrQuality]:
        valid = self._number() % 2000 < 1400
        return 1.0, time.time(), AttrQuality.ATTR_VALID if valid else AttrQuality.ATTR_INVALID

    @attribute(dtype=((np.uint16,),), max_dim_x=12, max_dim_y=8)
    def image(self) -> np.ndarray:
        return np.full((8, 12), self._number() % 1000, np.uint16) + np.arange(12, dtype=np.uint16)

    @attribute(dtype=str)
    def text(self) -> str:
        return "on"

    @command
    def push(self) -> None:
        self.push_change_event("number", self._number())


def main(port: int) -> None:
    # Of a thread that is no daemon a server that did not start in time would stay for ever.
    where = {"port": port, "host": "127.0.0.1", "process": False, "daemon": True, "timeout": 60.0}
    with DeviceTestContext(Magnet, **where) as device:
        while True:
            time.sleep(0.1)
            device.push()


if __name__ == "__main__":
    main(int(sys.argv[1]))
