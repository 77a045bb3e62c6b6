"""EPICS Channel Access by caproto: numbers and waveforms, monitored, found again when they were lost."""

from __future__ import annotations

import logging
import os
import time
import warnings
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

import numpy as np

from lynkeus.core.errors import SettingsError
from lynkeus.core.extras import needing
from lynkeus.sources.streams.settings import StreamSettings
from lynkeus.sources.streams.update import DISCONNECTED, Update

EPOCH_S = 631_152_000  # 1990, from which Channel Access counts
ANY_LENGTH = 0  # a waveform comes with as many numbers as it has


class CaClient:
    """See Transport. Servers are found as the environment says (EPICS_CA_ADDR_LIST, ...), or at `settings.server`."""

    def __init__(self, settings: StreamSettings) -> None:
        with needing("epics+ca://", "live"):
            import caproto.threading.client  # noqa: F401
        self.settings = settings
        self._put: Callable[[Update], None] = lambda update: None
        self._context: Any = None
        self._kept: list[Any] = []  # caproto holds what it calls weakly
        self._subscribed: dict[int, Any] = {}

    def begin(self, addresses: tuple[str, ...], put: Callable[[Update], None]) -> None:
        """Subscribe to all."""
        from caproto.threading.client import Context

        logging.getLogger("caproto").setLevel(logging.CRITICAL)  # what goes wrong is told in our words
        os.environ.update(self._environment())  # the library reads it whenever it searches
        self._put = put
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self._context = Context()
            states = [self._state_of(number) for number in range(len(addresses))]
            self._kept.append(states)
            for name, told in zip(addresses, states, strict=True):
                self._kept.append(self._context.get_pvs(name, connection_state_callback=told, timeout=None))

    def _state_of(self, number: int) -> Callable[[Any, str], None]:
        def told(pv: Any, state: str) -> None:
            if state != "connected":
                if number in self._subscribed:  # each begins by saying that it is not
                    self._put(Update(number, 0, 0, None, 0, time.monotonic_ns(), DISCONNECTED))
                return
            if number not in self._subscribed:  # the library renews it when a channel comes back
                subscription = pv.subscribe(data_type="time", data_count=ANY_LENGTH)
                took = _taking(number, self._put)
                self._subscribed[number] = subscription
                self._kept.append(took)
                with suppress(TimeoutError):  # lost again meanwhile; it is told so
                    subscription.add_callback(took)

        return told

    def again(self, channels: Sequence[int]) -> None:
        """Let the library search at once: it waits ever longer."""
        with suppress(AttributeError):
            self._context.broadcaster._search_now.set()

    def _environment(self) -> dict[str, str]:
        found = {str(name): str(text) for name, text in self.settings.environment.items()}
        if self.settings.server:
            host, _, port = self.settings.server.rpartition(":")
            if not host or not port.isdecimal():
                raise SettingsError(f"{self.settings.where}: server must be HOST:PORT, got {self.settings.server!r}")
            found |= {"EPICS_CA_ADDR_LIST": f"{host}:{port}", "EPICS_CA_AUTO_ADDR_LIST": "NO"}
        return found

    def close(self) -> None:
        """End all subscriptions."""
        if self._context is not None:
            context, self._context = self._context, None
            with suppress(Exception):  # threads of the library that end while it is being closed
                context.disconnect(wait=False)
                context.broadcaster.disconnect(wait=False)


def _taking(number: int, put: Callable[[Update], None]) -> Callable[[Any, Any], None]:
    def take(_subscription: Any, response: Any) -> None:
        now = time.monotonic_ns()
        about, data = response.metadata, response.data
        stamp = about.stamp.secondsSinceEpoch
        at = (stamp + EPOCH_S) * 1_000_000_000 + about.stamp.nanoSeconds if stamp else 0
        numbers = np.asarray(data)
        if numbers.dtype.kind not in "biuf":
            value: Any = data  # text: of another type than numbers
        else:
            value = float(numbers[0]) if len(numbers) == 1 else numbers
        put(Update(number, at, 0, value, int(about.severity), now))

    return take
