"""Sources: one file per format, wrappers around any Source, and `open_source` for what a user types."""

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
from lynkeus.sources.wrappers.labelled import Blocks, Good, Labelled
from lynkeus.sources.wrappers.replay import Replay
from lynkeus.sources.wrappers.selection import Exclude, InMemory, Select
from lynkeus.sources.wrappers.time_order import Ordered
from lynkeus.sources.wrappers.window import Accumulate, Window
from lynkeus.sources.wrappers.wrapper import files_of, origin_of

__all__ = [
    "Accumulate", "Blocks", "BundleSource", "Crops", "Exclude", "Files", "Finite", "Good", "ImageBundle", "ImageSource",
    "InMemory", "Inject", "Labelled", "Layout", "Ordered", "Replay",
    "Select", "Window", "files_of", "open_source", "origin_of", "read_layout", "shipped_layouts", "write_bundle",
]  # fmt: skip
