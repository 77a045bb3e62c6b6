"""Attributes of a real Tango device: asked and sent as events, across a restart, and what is no number."""

import threading
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from tests.sources.streams.servers import TangoServer

from lynkeus.core import Schema, SettingsError, SourceError
from lynkeus.core.batch import concatenate
from lynkeus.sources import open_source

pytest.importorskip("tango")
pytestmark = pytest.mark.slow(5)
DEVICE = "test/nodb/magnet"


@pytest.fixture(scope="module")
def server() -> Iterator[TangoServer]:
    made = TangoServer()
    made.start()
    yield made
    made.kill()


def test_attributes_are_read_masked_and_found_again_after_a_restart(server: TangoServer) -> None:
    # Tango cares for no capitals, and answers with its own.
    listed = ",".join(f"{DEVICE}/{name}" for name in ("Number", "wave", "sometimes", "text", "nothing"))
    names = [f"{DEVICE}/{name}" for name in ("Number", "sometimes", "text", "nothing")]
    names[1:1] = [f"{DEVICE}/wave[{k}]" for k in range(3)]
    url = f"tango://127.0.0.1:{server.number}/{listed}#dbase=no?lost_s=0.4&wait_s=0.2"
    source: Any = open_source(url, expected=Schema("table", tuple(names), (), (7,), 25.0))
    source.for_s, rows = 30.0, []

    def restart() -> None:
        server.kill()
        time.sleep(0.6)
        server.start()

    restarting = threading.Thread(target=restart, daemon=True)
    for batch in source:
        rows.append(batch)
        values = concatenate(rows).values
        there = np.isfinite(values[:, 0])
        if not restarting.ident and there.sum() > 30 and np.isnan(values[there, 4]).sum() > 3:
            restarting.start()
        if restarting.ident and not restarting.is_alive() and there[-5:].all() and not there.all():
            break
    source.close()
    restarting.join(90.0)
    assert not restarting.is_alive()
    values = concatenate(rows).values
    there = np.isfinite(values[:, 0])
    np.testing.assert_array_equal(values[there, 1], values[there, 0])  # of one reading
    np.testing.assert_array_equal(np.diff(values[there, 1:4], axis=1), 1.0)
    assert np.isnan(values[:, 5:]).all()  # text, and what is not there
    assert (values[there & np.isfinite(values[:, 4]), 4] == 1.0).all()
    said = "\n".join(source.messages)
    for what in ("sometimes is INVALID", "text sends text", "nothing: ", "(no answer)", "source lost"):
        assert what in said


def test_events_are_listened_to_and_what_sends_none_is_asked(server: TangoServer) -> None:
    url = f"tango://127.0.0.1:{server.number}/{DEVICE}/number,{DEVICE}/wave#dbase=no?events=change&rate_hz=10"
    source: Any = open_source(url, expected=Schema("table", (f"{DEVICE}/number",), (), (1,), 10.0))
    source.for_s, rows = 20.0, []
    for batch in source:
        rows.append(batch)
        if sum(map(len, rows)) >= 8:
            break
    source.close()
    values = concatenate(rows).values[:, 0]
    there = values[np.isfinite(values)]
    assert (np.diff(there) > 0).all()
    assert np.median(np.diff(there)) >= 90.0  # ms, as they were pushed


def test_an_image_is_frames_and_refused_beside_numbers(server: TangoServer) -> None:
    where = f"tango://127.0.0.1:{server.number}/{DEVICE}"
    source: Any = open_source(f"{where}/image#dbase=no?connect_s=0.6&rate_hz=25")
    assert (source.schema.kind, source.schema.shape, source.kind) == ("image", (1, 8, 12), np.uint16)
    source.for_s, rows = 20.0, []
    for batch in source:
        rows.append(batch)
        if sum(map(len, rows)) >= 8:
            break
    source.close()
    frames = concatenate([one for one in rows if "problem" not in one.meta]).values
    np.testing.assert_array_equal(
        frames[:, 0] - frames[:, 0, :1, :1], np.broadcast_to(np.arange(12), (len(frames), 8, 12))
    )
    assert len(np.unique(frames[:, 0, 0, 0])) > 3
    with pytest.raises(SourceError, match="sends frames of a camera; listen to it alone"):
        _ = open_source(f"{where}/image,{DEVICE}/number#dbase=no?connect_s=0.5").schema


def test_what_is_no_attribute_is_one_line(server: TangoServer) -> None:
    where = f"tango://127.0.0.1:{server.number}/{DEVICE}"
    with pytest.raises(SourceError, match=r"none of 1 channels answered .* not found"):
        _ = open_source(f"{where}/none#dbase=no?connect_s=0.5").schema
    with pytest.raises(SettingsError, match="is no attribute of Tango; write domain/family/member/attribute"):
        open_source("tango://a/b")
    with pytest.raises(SettingsError, match="events must be one of change"):
        open_source(f"{where}/number?events=soon")
