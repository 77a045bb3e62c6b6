"""Images per second of `lynkeus bundle` beside Pillow alone, on the same files, with as many processes.

Two loops to compare with: Pillow decodes and throws away, and Pillow decodes into a NumPy array, which is what a
loader of images has to do at least. The bundle also writes the pixels to the disk. Without a folder, images as of the
inside of a cavity are made first: 3488 x 2816 pixels, colour.

    python benchmarks/image_ingest.py                       # 24 made images
    python benchmarks/image_ingest.py FOLDER --processes 8 --tile 512 --resize 256
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from PIL import Image
from scipy import ndimage

from lynkeus.sources.images.bundle_writer import write_images
from lynkeus.sources.images.crops import Crops
from lynkeus.sources.images.folder import ImageSource

COLUMNS, ROWS, QUALITY = 3488, 2816, 90
ROUNDS = 3  # the best of them counts: other jobs can only slow one down


def make_images(folder: Path, count: int) -> None:
    """Grains and noise; the same texture turned and mirrored, since only the decoder looks at them."""
    rng = np.random.default_rng(0)
    grains = ndimage.gaussian_filter(rng.normal(size=(ROWS, COLUMNS, 3)), (3, 3, 0))
    image = 128 + 25 * grains / grains.std() + rng.normal(0, 3, size=grains.shape)
    pixels = image.clip(0, 255).astype(np.uint8)
    for number in range(count):
        Image.fromarray(np.roll(pixels, 97 * number, axis=1)).save(folder / f"{number:03}.jpg", quality=QUALITY)


def decode(paths: Sequence[Path]) -> None:
    """Pillow alone."""
    for path in paths:
        with Image.open(path) as image:
            image.load()


def decode_to_array(paths: Sequence[Path]) -> None:
    """Pillow, and the numbers."""
    for path in paths:
        with Image.open(path) as image:
            np.asarray(image)


def loop_s(loop: Callable[[Sequence[Path]], None], paths: Sequence[Path], processes: int) -> float:
    """Seconds for all; starting the processes counts, as it does for the bundle."""
    begin = time.perf_counter()
    if processes == 1:
        loop(paths)
    else:
        with ProcessPoolExecutor(processes, get_context("spawn")) as pool:
            list(pool.map(loop, [paths[k::processes] for k in range(processes)]))
    return time.perf_counter() - begin


def bundle_s(source: ImageSource, crops: Crops, processes: int) -> float:
    """Seconds for all, until they are on the disk."""
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        begin = time.perf_counter()
        write_images(source, Path(folder) / "bundle", crops, processes=processes)
        return time.perf_counter() - begin


def measure(folder: Path, options: argparse.Namespace) -> None:
    source = ImageSource(folder)
    paths = [source.folder / image for image in source.images]
    megabytes = source.origin["bytes"] / 1e6
    crops = Crops(options.tile or options.crop, options.overlap, bool(options.crop), options.resize)
    best = {"decode": np.inf, "decode to array": np.inf, "bundle": np.inf}
    for _ in range(ROUNDS):
        best["decode"] = min(best["decode"], loop_s(decode, paths, options.processes))
        best["decode to array"] = min(best["decode to array"], loop_s(decode_to_array, paths, options.processes))
        best["bundle"] = min(best["bundle"], bundle_s(source, crops, options.processes))
    print(f"{len(paths)} images, {megabytes / len(paths):.2f} MB each, {options.processes} processes, {crops}")
    print(f"{'':>16} {'images/s':>9} {'MB/s in':>8} {'of decode':>10} {'of array':>9}")
    for name, seconds in best.items():
        ratios = f"{best['decode'] / seconds:>10.2f} {best['decode to array'] / seconds:>9.2f}"
        print(f"{name:>16} {len(paths) / seconds:>9.1f} {megabytes / seconds:>8.1f} {ratios}")


def asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path)
    parser.add_argument("--images", type=int, default=24, help="to make, without a folder")
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--tile", type=int, default=0)
    parser.add_argument("--overlap", type=int, default=0)
    parser.add_argument("--crop", type=int, default=0)
    parser.add_argument("--resize", type=int, default=0)
    return parser.parse_args()


if __name__ == "__main__":
    options = asked()
    with tempfile.TemporaryDirectory() as made:
        if options.folder is None:
            make_images(Path(made), options.images)
        measure(options.folder or Path(made), options)
