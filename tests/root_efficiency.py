"""A TEfficiency as ROOT writes it, with the streamer that says how to read it: uproot writes histograms alone."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
from uproot.model import Model
from uproot.models.TH import Model_TH1D_v3
from uproot.serialization import numbytes_version, string
from uproot.writing.identify import to_writable

BASES = {"TNamed": (67, 1), "TAttLine": (0, 2), "TAttFill": (0, 2), "TAttMarker": (0, 2)}  # kind of element, version
REAL, WHOLE, POINTER, STL = 8, 3, 64, 500  # kinds of elements
PARAMETERS = "vector<pair<double,double> >"


def _counted(version: int, body: bytes) -> bytes:
    return bytes(numbytes_version(len(body), version)) + body


def _named(name: str, title: str = "") -> bytes:
    return _counted(1, struct.pack(">hII", 1, 0, 0x03010000) + string(name) + string(title))


def _any(cls: str, body: bytes) -> bytes:
    inner = b"\xff\xff\xff\xff" + cls.encode() + b"\0" + body
    return struct.pack(">I", 0x40000000 | len(inner)) + inner


def _element(name: str, kind: int, size: int, typename: str, cls: str, more: bytes = b"") -> bytes:
    own = _counted(4, _named(name) + struct.pack(">9i", kind, size, *[0] * 7) + string(typename))
    return _any(cls, _counted(3 if more else 2, own + more))


def _streamer() -> tuple[None, bytes, str, int]:
    elements = [
        _element(name, kind, 0, "BASE", "TStreamerBase", struct.pack(">i", version))
        for name, (kind, version) in BASES.items()
    ]
    elements += [_element(name, REAL, 8, "double", "TStreamerBasicType") for name in ("fBeta_alpha", "fBeta_beta")]
    elements += [
        _element("fBeta_bin_params", STL, 24, PARAMETERS, "TStreamerSTL", struct.pack(">ii", 1, 61)),
        _element("fConfLevel", REAL, 8, "double", "TStreamerBasicType"),
        _element("fFunctions", POINTER, 8, "TList*", "TStreamerObjectPointer"),
        _element("fPassedHistogram", POINTER, 8, "TH1*", "TStreamerObjectPointer"),
        _element("fStatisticOption", WHOLE, 4, "TEfficiency::EStatOption", "TStreamerBasicType"),
        _element("fTotalHistogram", POINTER, 8, "TH1*", "TStreamerObjectPointer"),
        _element("fWeight", REAL, 8, "double", "TStreamerBasicType"),
    ]
    held = struct.pack(">hII", 1, 0, 0x02000000) + string("") + struct.pack(">ii", len(elements), 0)
    array = _any("TObjArray", _counted(3, held + b"".join(elements)))
    body = _counted(9, _named("TEfficiency") + struct.pack(">Ii", 0x6FC3E0AA, 2) + array)
    return None, _any("TStreamerInfo", body) + b"\0", "TEfficiency", 2


class Efficiency(Model):
    """What uproot asks of what it writes: how often each bin of `total` (np.histogram) was `passed`."""

    classname, fTitle = "TEfficiency", ""  # noqa: N815 as ROOT calls it
    class_rawstreamers = (*Model_TH1D_v3.class_rawstreamers, _streamer())

    def __init__(self, passed: Any, total: Any) -> None:
        self.passed, self.total = (to_writable(one).serialize(name="") for one in (passed, total))

    def to_writable(self) -> Efficiency:
        """Return itself: it can be written."""
        return self

    def serialize(self, name: str) -> bytes:
        """Return the bytes of version 2 of the class."""
        one, whole, real = struct.pack(">d", 1.0), struct.pack(">i", 0), struct.pack(">d", 0.683)
        style = _counted(2, struct.pack(">3h", 1, 1, 1)) + _counted(2, struct.pack(">2h", 0, 1001))
        style += _counted(2, struct.pack(">2hf", 1, 1, 1.0))
        parts = _any("TH1D", self.passed) + whole + _any("TH1D", self.total)
        return _counted(2, _named(name) + style + one + one + _counted(9, whole) + real + whole + parts + one)


def efficiency(rng: np.random.Generator, share: float, events: int = 3000) -> Efficiency:
    """Return the efficiency of a trigger that fires at so large a share of the events, from 0 to 20."""
    light = rng.normal(10, 2, events)
    fired = light[rng.random(events) < share]
    return Efficiency(np.histogram(fired, 20, (0, 20)), np.histogram(light, 20, (0, 20)))
