"""What a store knows of its service and of live sources, on SQLite and PostgreSQL."""

import time
from contextlib import closing
from dataclasses import replace

import pytest

from lynkeus.core import StoreError
from lynkeus.monitor.conditions import conditions, in_words, note_condition
from lynkeus.monitor.records import Owner
from lynkeus.monitor.service.records import (
    Supervised,
    beat,
    claim_service,
    note_state,
    release_service,
    service_of,
    supervised,
)
from lynkeus.monitor.store import Store


def test_one_service_a_store_and_the_latest_state_of_each_monitor(store_url: str) -> None:
    with closing(Store(store_url)) as store:
        first, second = Owner.here(), replace(Owner.here(), host="elsewhere")
        assert service_of(store) == ("", False)
        claim_service(store, first, "a.toml")
        beat(store, first)
        with pytest.raises(StoreError, match=r"two services on one store: .* with a\.toml: stop that one"):
            claim_service(store, second, "b.toml")
        assert service_of(store)[1]
        release_service(store, second)  # not its own
        assert service_of(store)[1]
        release_service(store, first)
        claim_service(store, second, "b.toml")
        with pytest.raises(StoreError, match="another service has taken"):
            beat(store, first)
        for state, restarts in (("starting", 0), ("restarting", 1)):
            note_state(store, Supervised("x", state, "why", restarts, 7, time.time_ns()))
        assert supervised(store)["x"][:5] == ("x", "restarting", "why", 1, 7)
        condition = {"state": "lost", "channels": 3, "there": 1, "masked": ["A", "B"], "counts": {"late": 2, "x": 0}}
        note_condition(store, "x", condition | {"state": "connected"})
        note_condition(store, "x", condition)
        assert in_words(conditions(store)["x"]) == "lost, 1 of 3 channels; masked: A, B; 2 late"
