"""Sources: one file per format, wrappers around any Source, and `open_source` for what a user types.

Each is imported when it is first asked for: pages read files of images, and have no use for the libraries of tables.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lynkeus.sources.bundles.bundle import BundleSource
    from lynkeus.sources.bundles.bundle_writer import write_bundle
    from lynkeus.sources.formats.files import Files
    from lynkeus.sources.formats.layout import Layout, read_layout, shipped_layouts
    from lynkeus.sources.images.bundle import ImageBundle
    from lynkeus.sources.images.crops import Crops
    from lynkeus.sources.images.folder import ImageSource
    from lynkeus.sources.open import open_source
    from lynkeus.sources.wrappers.finite import Finite
    from lynkeus.sources.wrappers.inject import Inject
    from lynkeus.sources.wrappers.labelled import Blocks, Good, Labelled, Unlabelled
    from lynkeus.sources.wrappers.replay import Replay
    from lynkeus.sources.wrappers.selection import Exclude, InMemory, Select
    from lynkeus.sources.wrappers.time_order import Ordered
    from lynkeus.sources.wrappers.window import Accumulate, Window
    from lynkeus.sources.wrappers.wrapper import files_of, origin_of

__all__ = [
    "Accumulate", "Blocks", "BundleSource", "Crops", "Exclude", "Files", "Finite", "Good", "ImageBundle", "ImageSource",
    "InMemory", "Inject", "Labelled", "Layout", "Ordered", "Replay", "Select", "Unlabelled", "Window", "files_of",
    "open_source", "origin_of", "read_layout", "shipped_layouts", "write_bundle",
]  # fmt: skip

_WHERE = {
    "BundleSource": "bundles.bundle",
    "write_bundle": "bundles.bundle_writer",
    "Files": "formats.files",
    "Layout": "formats.layout",
    "read_layout": "formats.layout",
    "shipped_layouts": "formats.layout",
    "ImageBundle": "images.bundle",
    "Crops": "images.crops",
    "ImageSource": "images.folder",
    "open_source": "open",
    "Finite": "wrappers.finite",
    "Inject": "wrappers.inject",
    "Blocks": "wrappers.labelled",
    "Good": "wrappers.labelled",
    "Labelled": "wrappers.labelled",
    "Unlabelled": "wrappers.labelled",
    "Replay": "wrappers.replay",
    "Exclude": "wrappers.selection",
    "InMemory": "wrappers.selection",
    "Select": "wrappers.selection",
    "Ordered": "wrappers.time_order",
    "Accumulate": "wrappers.window",
    "Window": "wrappers.window",
    "files_of": "wrappers.wrapper",
    "origin_of": "wrappers.wrapper",
}


def __getattr__(name: str) -> Any:
    """Import what is asked for."""
    if name not in _WHERE:
        raise AttributeError(f"module 'lynkeus.sources' has no attribute {name!r}")
    return getattr(import_module(f"lynkeus.sources.{_WHERE[name]}"), name)
