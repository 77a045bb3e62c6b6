"""A camera by a real PVA server: frames as they were sent, a model of them, what no frame is, a restart."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.sources.streams.servers import CameraServer

from lynkeus.core import AlarmRule, Batch, Schema, SourceError
from lynkeus.fitting.fit import FitSettings, fit
from lynkeus.monitor.store import Store
from lynkeus.monitor.watch import WatchSettings, watch
from lynkeus.sources import open_source
from lynkeus.sources.images.pixel_rule import PixelRule
from lynkeus.sources.streams.recorded import Recorded

pytest.importorskip("p4p")
pytestmark = pytest.mark.slow(8)
RATE = 50.0


@pytest.fixture
def deep() -> Iterator[CameraServer]:
    server = CameraServer(RATE, "uint16")
    server.start()
    yield server
    server.kill()


def test_from_frames_of_a_camera_to_the_alarm_of_a_second_spot_across_a_restart(
    deep: CameraServer, tmp_path: Path
) -> None:
    url = f"epics+pva://CAM:IMAGE?server=127.0.0.1:{deep.port}&connect_s=1&lost_s=0.2&wait_s=0.2"
    recorded = Recorded(open_source(url), 2.6)  # type: ignore[arg-type]
    assert (recorded.schema.kind, recorded.schema.shape) == ("image", (1, 48, 64))
    assert 0.2 * RATE < (recorded.schema.sample_rate_hz or 0.0) < 1.2 * RATE
    assert recorded.rule is not None
    assert recorded.rule.scales  # of more than 8 bits
    assert "missed pulses" in "\n".join(recorded.messages)  # one in ten was not sent
    fitted = fit(recorded, FitSettings("nearest_neighbours"))
    source: Any = open_source(url, expected=fitted.view.schema)
    source.rule, source.for_s = recorded.rule, 120.0
    store = Store(f"sqlite:///{tmp_path}/s.db")
    restarted: list[int] = []

    def tick(run: Any) -> None:
        if run.windows > 30 and not restarted:
            restarted.append(run.windows)
            deep.kill()
            deep.start(0.4)
        if [one for one in store.alarms(output="anomaly") if one.alarm.where.startswith("x 5")] or run.windows > 900:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        watch(fitted, source, store, WatchSettings(rule=AlarmRule(budget_per_hour=2000.0)), tick)
    found = [one.alarm.where for one in store.alarms(output="anomaly")]
    assert any(where.startswith("x 5") and ", y " in where for where in found), found
    (lost,) = store.alarms(output="source")
    assert not lost.is_open
    assert source.condition()["counts"]["restarts of the pulse numbers"] == 1
    store.close()


class Posts:
    """A camera in this process."""

    def __init__(self, first: np.ndarray) -> None:
        from p4p.nt import NTNDArray, NTScalar
        from p4p.server import Server
        from p4p.server.thread import SharedPV

        self.form, self.number = NTNDArray(), 0
        self.pv = SharedPV(initial=self.form.wrap(first))
        pvs = {"CAM": self.pv, "A": SharedPV(nt=NTScalar("d"), initial=0.0)}
        self.server = Server(providers=[pvs], isolate=True)
        self.address = f"127.0.0.1:{self.server.conf()['EPICS_PVA_SERVER_PORT']}"

    def post(self, frame: np.ndarray, severity: int = 0, codec: str = "") -> None:
        value, self.number, now = self.form.wrap(frame), self.number + 1, time.time()
        value["uniqueId"], value["alarm.severity"], value["codec.name"] = self.number, severity, codec
        value["timeStamp.secondsPastEpoch"], value["timeStamp.nanoseconds"] = int(now), int(now % 1 * 1e9)
        self.pv.post(value)
        time.sleep(0.012)


def test_colours_are_where_they_belong_and_what_no_frame_is_has_no_values() -> None:
    random = np.random.default_rng(0)
    colours = random.integers(0, 255, (24, 32, 3), np.uint8)  # as viewers have them: row, column, colour
    posts = Posts(colours)
    schema = Schema("image", ("red", "green", "blue"), (), (3, 24, 32), 50.0)
    source: Any = open_source(f"epics+pva://CAM?server={posts.address}&lost_s=0.2&wait_s=0.2", expected=schema)
    source.for_s, source.rule = 20.0, PixelRule()
    frames: list[Batch] = []
    good = (colours, 0, "")
    posts.post(*good)
    poster = threading.Thread(daemon=True, target=lambda: [posts.post(*good) for _ in range(30)]
                              + [posts.post(colours, 3) for _ in range(10)]
                              + [posts.post(*good) for _ in range(10)]
                              + [posts.post(colours[:20]) for _ in range(10)]
                              + [posts.post(*good) for _ in range(10)]
                              + [posts.post(colours, 0, "jpeg") for _ in range(5)]
                              + [posts.post(*good) for _ in range(20)])  # fmt: skip
    poster.start()
    for batch in source:
        frames.append(batch)
        if not poster.is_alive():
            break
    source.close()
    there = [batch for batch in frames if "problem" not in batch.meta]
    empty = [batch for batch in frames if "problem" in batch.meta]
    assert sum(map(len, there)) >= 30
    for batch in there:
        assert batch.values.dtype == np.uint8
        np.testing.assert_array_equal(batch.values, np.broadcast_to(colours.transpose(2, 0, 1), batch.values.shape))
    assert sum(map(len, empty)) >= 8
    assert all(np.isnan(batch.values).all() for batch in empty)
    said = "\n".join(source.messages)
    for what in ("CAM is INVALID", "CAM: sends frames of 32 x 20 pixels, colour, uint8, expected 32 x 24",
                 "compressed (jpeg)"):  # fmt: skip
        assert what in said
    with pytest.raises(SourceError, match="CAM sends frames of a camera; listen to it alone"):
        _ = open_source(f"epics+pva://A,CAM?server={posts.address}&connect_s=0.3").schema
    with pytest.raises(SourceError, match="A sends numbers, and the model reads frames of a camera; name the channel"):
        list(open_source(f"epics+pva://A?server={posts.address}&connect_s=0.3", expected=schema))
    with pytest.raises(SourceError, match="CAM sends frames of a camera, and the model reads numbers"):
        list(open_source(f"epics+pva://A,CAM?server={posts.address}&connect_s=0.3",
                         expected=Schema("table", ("A", "CAM"), (), (2,), 50.0)))  # fmt: skip
    with pytest.raises(SourceError, match=r"the model|no frame came"):
        _ = open_source(f"epics+pva://NONE?server={posts.address}&connect_s=0.3",
                        expected=Schema("image", ("grey",), (), (1, None, None), 50.0)).schema  # fmt: skip
    posts.server.stop()


def test_what_frames_cannot_be_is_said_before_anybody_waits(lynkeus: Any, tmp_path: Path) -> None:
    posts = Posts(np.zeros((24, 32), np.uint8))
    stop = threading.Event()

    def post() -> None:
        while not stop.is_set():
            posts.post(np.zeros((24, 32), np.uint8))

    poster = threading.Thread(target=post, daemon=True)
    poster.start()
    url = f"epics+pva://CAM?server={posts.address}&connect_s=1"
    fit = ("fit", url, "--for", "30m", "-o", tmp_path / "m")
    refused = [lynkeus(*fit, "-s", "mahalanobis"), lynkeus(*fit, "-s", "inspect", "--window", "4")]
    stop.set()
    poster.join(30.0)
    assert not poster.is_alive()
    posts.server.stop()
    for one, says in zip(
        refused, ("reads no images, such as frames", "each frame of a camera is a sample"), strict=True
    ):
        assert one.code == 2
        assert says in one.err.splitlines()[-1]
