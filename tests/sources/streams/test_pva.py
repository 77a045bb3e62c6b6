"""A real PVA server in this process: what is sent is what is read, and what a source does wrong is masked and said."""

import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from lynkeus.core import Batch, Schema, SourceError
from lynkeus.core.batch import concatenate
from lynkeus.sources import open_source

pytest.importorskip("p4p")
RATE = 50.0


class Server:
    """Some process variables, posted by `shot`."""

    def __init__(self) -> None:
        from p4p.nt import NTScalar, NTTable
        from p4p.server import Server as PvaServer
        from p4p.server.thread import SharedPV

        self.pvs = {name: SharedPV(nt=NTScalar("d"), initial=0.0) for name in ("A", "B", "SET")}
        self.pvs["V"] = SharedPV(nt=NTScalar("ad"), initial=np.zeros(3))
        columns = NTTable([("x", "d"), ("who", "s"), ("q", "d")])
        self.pvs["TABLE"] = SharedPV(nt=columns, initial=[{"x": 0.0, "who": "a", "q": 0.0}])
        self.server = PvaServer(providers=[self.pvs], isolate=True)
        self.address = f"127.0.0.1:{self.server.conf()['EPICS_PVA_SERVER_PORT']}"
        self.sent = 0

    def shot(self, leave_out: str = "", severity: int = 0, vector: int = 3) -> None:
        """Post number `sent` on all."""
        now = time.time()
        for name in "AB":
            if name != leave_out:
                self.pvs[name].post(float(self.sent), timestamp=now, severity=severity if name == "A" else 0)
        self.pvs["V"].post(np.arange(vector) + float(self.sent), timestamp=now)
        self.pvs["TABLE"].post([{"x": self.sent + 0.5, "who": "a", "q": -float(self.sent)}], timestamp=now)
        self.sent += 1


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    yield made
    made.server.stop()


def listen(server: Server, url: str, shots: list[dict[str, Any]], expected: Schema | None) -> tuple[Batch, list[str]]:
    """Rows while `shots` are posted at a steady pace by another thread, and what was said."""
    import threading

    source: Any = open_source(f"epics+pva://{url}?server={server.address}&rate_hz={RATE}", expected=expected)
    done = threading.Event()

    def post() -> None:
        for shot in shots:
            server.shot(**shot)
            time.sleep(1 / RATE)
        time.sleep(0.4)
        done.set()

    poster = threading.Thread(target=post, daemon=True)
    poster.start()
    source.for_s, rows = 60.0, []
    for batch in source:
        rows.append(batch)
        if done.is_set() or (rows[-1].values[-1] >= len(shots) - 1).any():
            break
    source.close()
    poster.join(30.0)
    assert not poster.is_alive()
    return concatenate(rows), source.messages


def test_what_is_sent_is_read_with_the_times_of_the_devices(server: Server) -> None:
    source: Any = open_source(f"epics+pva://A,V,SET,B,TABLE?server={server.address}&rate_hz={RATE}&connect_s=1")
    assert source.schema.names == ("A", "V[0]", "V[1]", "V[2]", "SET", "B", "TABLE/x", "TABLE/q")
    source.close()
    rows, _ = listen(server, "A,V,SET,B,TABLE", [{}] * 100, source.schema)
    values = rows.values
    assert len(rows) > 50
    assert rows.time_ns is not None
    assert (np.diff(rows.time_ns) > 0).all()
    assert abs(int(rows.time_ns[-1]) - time.time_ns()) < 60e9
    np.testing.assert_array_equal(values[:, 0], values[:, 5])
    np.testing.assert_array_equal(values[:, 1:4], values[:, :1] + np.arange(3))
    np.testing.assert_array_equal(np.diff(values[:, 0]), 1.0)  # none is lost
    np.testing.assert_array_equal(values[:, 6:], np.stack([values[:, 0] + 0.5, -values[:, 0]], axis=1))


def test_invalid_values_missing_updates_and_other_lengths_are_masked_and_said(server: Server) -> None:
    schema = Schema("table", ("A", "B", "V[0]", "V[1]", "V[2]", "GONE"), (), (6,), RATE)
    shots: list[dict[str, Any]] = [{}] * 60
    shots += [{"severity": 3}] * 20 + [{"leave_out": "B"}] * 5 + [{}] * 15 + [{"vector": 4}] * 10 + [{}] * 10
    rows, said = listen(server, "A,B,V,GONE", shots, schema)
    number = np.nan_to_num(rows.values[:, 1], nan=-1.0)
    invalid = np.isnan(rows.values[:, 0])
    assert 10 <= invalid.sum() <= 20
    assert set(number[invalid]) <= set(range(60, 80))
    assert np.isnan(rows.values[:, 1]).sum() == 5
    assert 5 <= np.isnan(rows.values[:, 2]).sum() <= 10
    assert np.isnan(rows.values[:, 5]).all()
    text = "\n".join(said)
    for what in ("GONE: not connected", "A is INVALID", "A is valid again", "V sends 4 numbers, expected 3"):
        assert what in text


def test_channels_that_do_not_exist_are_one_line(server: Server) -> None:
    with pytest.raises(SourceError, match="none of 2 channels answered"):
        _ = open_source(f"epics+pva://NO,NONE?server={server.address}&connect_s=0.5").schema
    with pytest.raises(SourceError, match="no channel moved"):
        _ = open_source(f"epics+pva://A,B?server={server.address}&connect_s=0.5").schema
    with pytest.raises(SourceError, match="the model knows none of its channels"):
        _ = open_source("epics+pva://A,B", expected=Schema("table", ("X",), (), (1,), RATE)).schema
