"""A real Channel Access IOC in a process of its own: numbers, a waveform, an outage."""

import time
from typing import Any

import numpy as np
import pytest
from tests.sources.streams.servers import CaServer

from lynkeus.core import SourceError
from lynkeus.core.batch import concatenate
from lynkeus.sources import open_source

pytest.importorskip("caproto")
pytestmark = [pytest.mark.slow(5), pytest.mark.filterwarnings("ignore")]  # of threads of caproto that end late


def test_what_an_ioc_sends_is_read_and_an_outage_is_masked_and_over() -> None:
    server = CaServer(3, 20.0)
    server.start()
    try:
        where = f"server=127.0.0.1:{server.port}&lost_s=0.5"
        source: Any = open_source(f"epics+ca://C:0,C:1,C:2,C:WAVE?{where}&connect_s=3")
        assert source.schema.names == ("C:0", "C:1", "C:2", "C:WAVE[0]", "C:WAVE[1]", "C:WAVE[2]")
        # of a sender on a busy machine; three of them together would be 60
        assert source.schema.sample_rate_hz == pytest.approx(20.0, rel=0.3)
        source.for_s, rows, killed = 60.0, [], 0.0
        for batch in source:
            rows.append(batch)
            if not killed and sum(map(len, rows)) > 20:
                server.kill()
                killed = time.monotonic()
            elif killed and len(batch) and server.process.poll() is not None and np.isnan(batch.values).all():
                server.start()
            elif killed and len(batch) and server.process.poll() is None and np.isfinite(batch.values).all():
                break
        source.close()
    finally:
        server.kill()
    values = concatenate(rows)
    assert values.time_ns is not None
    assert (np.diff(values.time_ns) > 0).all()
    assert abs(int(values.time_ns[-1]) - time.time_ns()) < 60e9
    shots = values.values[:20, 3]
    np.testing.assert_array_equal(np.diff(shots), 1.0)  # none is lost
    said = "\n".join(source.messages)
    assert "is not connected; masked until it is back" in said
    assert ": back" in said


def test_channels_that_do_not_exist_are_one_line() -> None:
    with pytest.raises(SourceError, match="none of 1 channels answered"):
        _ = open_source("epics+ca://NONE?server=127.0.0.1:1&connect_s=0.3").schema
