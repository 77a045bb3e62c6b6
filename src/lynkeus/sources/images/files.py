"""Image files: which there are, whether one is colour, and its pixels as 8-bit numbers by one fixed rule."""

from __future__ import annotations

import glob
import os
import threading
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps

from lynkeus.core.errors import SourceError
from lynkeus.sources.images.pixel_rule import PixelRule

Pixels = npt.NDArray[np.uint8]  # (row, column, channel)

ENDINGS = (".jpg", ".jpeg", ".png", ".tif", ".tiff", ".bmp", ".webp", ".gif", ".jp2", ".j2k")
FORMATS = ("JPEG", "PNG", "TIFF", "BMP", "WEBP", "GIF", "JPEG2000")
GREY_MODES = ("1", "L", "LA", "La", "F")  # and all that begin with I: integers of 16 or 32 bits
IMAGES, MASKS, META = "images", "masks", "meta.csv"  # in a folder that `lynkeus generate` writes
STRIP = 256  # rows
OTHERS = 5  # of what is left out, named
SMALLEST_SHRUNK = 64  # pixels; from here on Pillow never shrinks more than it was asked to
NO_SCALE = PixelRule()
_opening = threading.Lock()


def is_image(path: Path) -> bool:
    """Return whether the ending, in any case, is that of an image; hidden files (and macOS's ._ files) are none."""
    return path.suffix.lower() in ENDINGS and not path.name.startswith(".")


def find_images(path: Path) -> tuple[Path, tuple[str, ...]]:
    """The folder, and the images in it by relative path with "/", sorted: all below a folder, one file, or a pattern.

    Of a pattern the folder is the part before the first wildcard. Hidden folders and links to folders are not entered.
    """
    if path.is_dir():
        found = [Path(root) / name for root, name in _walk(path)]
        folder = path
    elif path.is_file():
        found, folder = [path], path.parent
    else:
        found = [Path(name) for name in glob.glob(str(path), recursive=True)]
        folder = Path(*_before_wildcard(path))
    return folder, tuple(sorted(p.relative_to(folder).as_posix() for p in found if is_image(p) and p.is_file()))


def other_files(path: Path, meta: Path | None = None) -> list[str]:
    """Say what a folder holds beside images and their table, in a line, and links to folders, which are not entered."""
    if not path.is_dir():
        return []
    found = [Path(root) / name for root, name in _walk(path)]
    others = [item for item in found if not is_image(item) and not item.name.startswith(".") and item != meta]
    said = []
    if others:
        kinds = Counter(item.suffix.lower() or "no ending" for item in others)
        counted = ", ".join(f"{kind} {count}" for kind, count in kinds.most_common(OTHERS))
        names = ", ".join(str(item.relative_to(path)) for item in sorted(others)[:OTHERS])
        more = ", ..." if len(others) > OTHERS else ""
        said.append(f"{len(others)} files of {path} are no images by their ending ({counted}), left out: {names}{more}")
    links = [
        Path(root) / name for root, folders, _ in os.walk(path) for name in folders if (Path(root) / name).is_symlink()
    ]
    if links:
        names = ", ".join(str(item.relative_to(path)) for item in sorted(links)[:OTHERS])
        said.append(f"{len(links)} links to folders of {path} are not followed: {names}; give them as DATA")
    return [line.encode(errors="replace").decode() for line in said]


def images_with_meta(path: Path) -> tuple[Path, Path] | None:
    """Return the images and the table of a folder with `images/` and `meta.csv`; None where it is no such folder."""
    found = path / IMAGES, path / META
    return found if found[0].is_dir() and found[1].is_file() else None


def opened(path: Path) -> Image.Image:
    """Open a file, of which only the header is read. Raises SourceError whose message is only the reason."""
    try:
        if not path.stat().st_size:
            raise SourceError("is empty (0 bytes)")
        path.name.encode()
        with _opening, warnings.catch_warnings():  # the filters are global, and this may be one of several threads
            warnings.simplefilter("ignore")
            return Image.open(path, formats=FORMATS)
    except UnicodeEncodeError as error:
        raise SourceError("has a name that is not UTF-8; rename it") from error
    except Image.UnidentifiedImageError as error:
        raise SourceError(f"is not a {', '.join(FORMATS[:-1])} or {FORMATS[-1]} image by its content") from error
    except Image.DecompressionBombError as error:
        limit = 2 * (Image.MAX_IMAGE_PIXELS or 0) / 1e6
        raise SourceError(f"has more than {limit:.0f} megapixels; cut it into smaller images") from error
    except OSError as error:
        raise SourceError(f"cannot be read ({_words(error)})") from error
    except SourceError:
        raise
    except Exception as error:  # damaged headers make Pillow raise almost anything
        raise SourceError(f"is corrupt ({_words(error)})") from error


def is_deep(picture: Image.Image) -> bool:
    """Whether it is grey of more than 8 bits: whole numbers of 16 or 32 bits, or floats."""
    return picture.mode == "F" or picture.mode.startswith("I")


def is_colour(path: Path) -> bool:
    """Whether the header says colour; a palette counts as colour unless all its entries are grey.

    Raises SourceError whose message is only the reason: the caller knows the name.
    """
    with opened(path) as image:
        if image.mode == "P":
            palette = np.array(image.getpalette("RGB") or [0, 0, 0]).reshape(-1, 3)
            return bool((palette != palette[:, :1]).any())
        return image.mode not in GREY_MODES and not image.mode.startswith("I")


def read_pixels(path: Path, colour: bool, page: int = 0, rule: PixelRule = NO_SCALE) -> Pixels:
    """The picture as a viewer shows it (EXIF rotation applied), (row, column, channel), RGB or grey, of 8 bits.

    Grey of more than 8 bits, and alpha, become that by `rule`: without a scale the upper 8 of 16 bits are kept, as
    Pillow does for colour, and float pixels must lie in 0 to 1 and are times 255 (NaN: 0). CMYK and palettes become
    RGB. No image is scaled by its own values. Raises SourceError whose message is only the reason.
    """
    return pixels_of(read_picture(path, colour, page=page, rule=rule)[0])


def pixels_of(picture: Image.Image) -> Pixels:
    """The numbers of a Pillow image."""
    pixels = np.empty((picture.height, picture.width, len(picture.getbands())), np.uint8)
    for number, strip in enumerate(strips_of(picture)):
        pixels[number * STRIP : number * STRIP + len(strip)] = strip
    return pixels


def strips_of(picture: Image.Image) -> Iterator[Pixels]:
    """The same from top to bottom in strips: to ask Pillow for a large image as a whole takes four times as long."""
    for top in range(0, picture.height, STRIP):
        strip = picture.crop((0, top, picture.width, min(top + STRIP, picture.height)))
        yield np.atleast_3d(np.asarray(strip))


def read_picture(
    path: Path, colour: bool, shrink: int = 1, page: int = 0, rule: PixelRule = NO_SCALE
) -> tuple[Image.Image, int]:
    """As `read_pixels`, as a Pillow image, and how many times smaller it is: at most `shrink`.

    A JPEG can come 2, 4 or 8 times smaller, a little sharper than means of squares, which takes its decoder half the
    time; all else comes as it is.
    """
    mode = "RGB" if colour else "L"
    with opened(path) as file:
        try:
            if page:
                file.seek(page)
            columns, rows = file.size
            if min(columns, rows) >= SMALLEST_SHRUNK:
                file.draft(None, (columns // shrink, rows // shrink))
            shrunk = round(columns / file.width)
            file.load()
            ImageOps.exif_transpose(file, in_place=True)
            picture = _eight_bits(rule.without_alpha(file), rule)
            picture.info.pop("transparency", None)
            return picture if picture.mode == mode else picture.convert(mode), shrunk
        except SourceError:
            raise
        except Exception as error:  # damaged files make Pillow raise almost anything
            raise SourceError(f"is corrupt ({_words(error)})") from error


def map_names(files: Sequence[str]) -> list[str]:
    """Where the map of each image goes, relative to the folder of maps: its stem and .npy where that is unique.

    Otherwise the relative path: `a/1.jpg` and `b/1.jpg` give `a/1.npy` and `b/1.npy`; where that is not unique either,
    with its ending: `1.jpg.npy` and `1.png.npy`. Upper and lower case count as the same, as on some file systems.
    """
    names = [PurePosixPath(file).stem for file in files]
    for longer in ([str(PurePosixPath(file).with_suffix("")) for file in files], files):
        times = Counter(name.casefold() for name in names)
        names = [long if times[name.casefold()] > 1 else name for name, long in zip(names, longer, strict=True)]
    return [f"{name}.npy" for name in names]


def map_of(file: str) -> str:
    """Where the map of an image goes whatever other images there are, or will be: its relative path, with .npy."""
    return f"{file}.npy"


def _walk(folder: Path) -> list[tuple[str, str]]:
    found = []
    for root, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        found += [(root, name) for name in names]
    return found


def _before_wildcard(path: Path) -> list[str]:
    parts = list(path.parts)
    fixed = next((k for k, part in enumerate(parts) if glob.has_magic(part)), len(parts) - 1)
    return parts[:fixed]


def _eight_bits(picture: Image.Image, rule: PixelRule) -> Image.Image:
    if not is_deep(picture):
        return picture
    return Image.fromarray(rule.eight_bits(np.asarray(picture)))


def _words(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
