"""Ctrl-C and SIGTERM in the middle of a transaction: it is done, and then they come."""

import os
import signal
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from lynkeus.monitor.store import Store
from lynkeus.monitor.tables import about
from lynkeus.monitor.unbroken import unbroken


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_comes_after_the_transaction(tmp_path: Path, number: signal.Signals) -> None:
    def stop(*_: Any) -> None:
        raise KeyboardInterrupt

    def write(store: Store) -> None:
        with store.writing() as connection, unbroken():
            os.kill(os.getpid(), number)
            connection.execute(sa.update(about).values(version=7))
            done.append(1)

    before, done = signal.signal(number, stop), list[int]()
    try:
        with closing(Store(f"sqlite:///{tmp_path}/s.db")) as store:
            with pytest.raises(KeyboardInterrupt):
                write(store)
            with store.reading() as connection:
                assert connection.scalar(sa.select(about.c.version)) == 7
        assert signal.getsignal(number) is stop
    finally:
        signal.signal(number, before)
    assert done == [1]
