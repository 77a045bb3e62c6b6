"""Sources: one file per format, wrappers around any Source, and `open_source` for what a user types."""

from lynkeus.sources.bundle import BundleSource
from lynkeus.sources.bundle_writer import write_bundle
from lynkeus.sources.crops import Crops
from lynkeus.sources.files import Files
from lynkeus.sources.finite import Finite
from lynkeus.sources.image_bundle import ImageBundle
from lynkeus.sources.images import ImageSource
from lynkeus.sources.inject import Inject
from lynkeus.sources.labelled import Blocks, Good, Labelled
from lynkeus.sources.layout import Layout, read_layout, shipped_layouts
from lynkeus.sources.open import open_source
from lynkeus.sources.replay import Replay
from lynkeus.sources.selection import Exclude, InMemory, Select
from lynkeus.sources.time_order import Ordered
from lynkeus.sources.window import Accumulate, Window
from lynkeus.sources.wrapper import files_of, origin_of

__all__ = [
    "Accumulate", "Blocks", "BundleSource", "Crops", "Exclude", "Files", "Finite", "Good", "ImageBundle", "ImageSource",
    "InMemory", "Inject", "Labelled", "Layout", "Ordered", "Replay",
    "Select", "Window", "files_of", "open_source", "origin_of", "read_layout", "shipped_layouts", "write_bundle",
]  # fmt: skip
