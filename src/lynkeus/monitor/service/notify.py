"""sd_notify: tells systemd that a service is ready, what it does, and that it lives; nothing where there is none."""

from __future__ import annotations

import os
import socket
import time


class Notifier:
    """Speaks to the socket in NOTIFY_SOCKET, as sd_notify(3) does. `period_s`: how often to say that it lives (half of
    WATCHDOG_USEC), 0 where systemd does not ask."""

    def __init__(self) -> None:
        self.address = os.environ.get("NOTIFY_SOCKET", "")
        asked = os.environ.get("WATCHDOG_USEC", "")
        pid = os.environ.get("WATCHDOG_PID", "")
        ours = not pid or pid == str(os.getpid())
        self.period_s = int(asked) / 2e6 if asked.isdecimal() and ours else 0.0
        self._last_s = 0.0

    def say(self, text: str) -> None:
        """Send lines such as READY=1; what cannot be sent is lost, as systemd intends."""
        if not self.address:
            return
        name = "\0" + self.address[1:] if self.address.startswith("@") else self.address
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as there:
                there.setblocking(False)  # whoever does not listen must not stop us
                there.sendto(text.encode(), name)
        except OSError:
            return

    def alive(self) -> None:
        """Say that the service lives, as often as it is asked to."""
        now = time.monotonic()
        if self.period_s and now - self._last_s >= self.period_s:
            self._last_s = now
            self.say("WATCHDOG=1")
