"""Pictures as nobody writes them: chunks, tags and sides that are none, in every format that is read."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
from benchmarks.mutations.strange import LARGE, patched
from PIL import Image

FORMATS = {"jpg": "JPEG", "tif": "TIFF", "bmp": "BMP", "webp": "WEBP", "gif": "GIF", "jp2": "JPEG2000"}
TYPES = (b"IHDR", b"PLTE", b"tRNS", b"tEXt", b"zTXt", b"iCCP", b"gAMA", b"eXIf", b"acTL", b"IDAT", b"IEND", b"abcd")


def png(random: np.random.Generator) -> bytes:
    """Return a PNG whose chunks are changed, with checksums that fit."""
    made = Image.fromarray((random.random((24, 20, 3)) * 255).astype(np.uint8))
    if random.random() < 0.4:
        made = (
            made.convert(str(random.choice(["L", "P", "1", "RGBA", "LA", "I;16"]))) if random.random() < 0.8 else made
        )
    held = io.BytesIO()
    made.save(held, "PNG")
    data = held.getvalue()
    if random.random() < 0.25:
        return patched(data, random)
    chunks, at = [], 8
    while at < len(data):
        (length,) = struct.unpack(">I", data[at : at + 4])
        chunks.append((data[at + 4 : at + 8], data[at + 8 : at + 8 + length]))
        at += 12 + length
    for _ in range(int(random.integers(1, 4))):
        number = int(random.integers(len(chunks)))
        kind, content = chunks[number]
        what = int(random.integers(7))
        if what == 0 and kind == b"IHDR":
            content = (
                struct.pack(">II", *(LARGE[int(k)] & 0xFFFFFFFF for k in random.integers(len(LARGE), size=2)))
                + content[8:]
            )
        elif what == 1 and kind == b"IHDR":
            content = content[:8] + bytes(random.integers(0, 20, 5).astype(np.uint8))
        elif what == 2 and kind == b"IDAT":
            try:
                raw = zlib.decompress(content)
            except zlib.error:  # of another kind of chunk before
                raw = content
            raw = (
                patched(raw, random)
                if random.random() < 0.6
                else raw[: len(raw) // 2]
                if random.random() < 0.5
                else bytes(2_000_000)
            )
            content = zlib.compress(raw)
        elif what == 3:
            content = patched(content, random)
        elif what == 4:
            kind = TYPES[int(random.integers(len(TYPES)))]
        elif what == 5:
            chunks.insert(number, (kind, content))
            continue
        elif len(chunks) > 1:
            del chunks[number]
            continue
        chunks[number] = (kind, content)
    return data[:8] + b"".join(_chunk(kind, content) for kind, content in chunks)


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def seeds(random: np.random.Generator) -> list[tuple[str, bytes]]:
    """Return good pictures of every other format, grey and in colour, of one page or several, deep ones too."""
    colour = Image.fromarray((random.random((24, 24, 3)) * 255).astype(np.uint8))
    grey, deep = colour.convert("L"), Image.fromarray((random.random((24, 24)) * 4000).astype(np.uint16))
    found = []
    for ending, kind in FORMATS.items():
        for picture in (colour, grey):
            held = io.BytesIO()
            picture.save(held, kind)
            found.append((ending, held.getvalue()))
    for compression in ("raw", "tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg"):
        held = io.BytesIO()
        grey.save(held, "TIFF", compression=compression, save_all=True, append_images=[grey, grey])
        found.append(("tif", held.getvalue()))
    held = io.BytesIO()
    deep.save(held, "TIFF")
    found.append(("tif", held.getvalue()))
    return found


def tiff(data: bytes, random: np.random.Generator) -> bytes:
    """Return a TIFF of which entries of its directory are changed."""
    if random.random() < 0.4 or data[:2] != b"II":
        return patched(data, random)
    made = bytearray(data)
    (first,) = struct.unpack("<I", data[4:8])
    (count,) = struct.unpack("<H", data[first : first + 2])
    for _ in range(int(random.integers(1, 4))):
        at = first + 2 + 12 * int(random.integers(count))
        what = int(random.integers(4))
        if what == 0:
            made[at : at + 2] = struct.pack(
                "<H", int(random.choice([256, 257, 258, 259, 262, 273, 277, 278, 279, 317, 320, 322, 700, 330]))
            )
        elif what == 1:
            made[at + 2 : at + 4] = struct.pack("<H", int(random.integers(0, 20)))
        elif what == 2:
            made[at + 4 : at + 8] = struct.pack("<I", LARGE[int(random.integers(len(LARGE)))] & 0xFFFFFFFF)
        else:
            made[at + 8 : at + 12] = struct.pack("<I", LARGE[int(random.integers(len(LARGE)))] & 0xFFFFFFFF)
    return bytes(made)


def write_folder(folder: Path, random: np.random.Generator) -> None:
    """Write a folder of four pictures with a table of what is known of them."""
    folder.mkdir(parents=True, exist_ok=True)
    for k in range(4):
        Image.fromarray((random.random((20, 20, 3)) * 255).astype(np.uint8)).save(folder / f"{k}.png")
    (folder / "meta.csv").write_text(
        "file,truth,cell\n" + "".join(f"{k}.png,0,{k}\n" for k in range(4)), encoding="utf-8"
    )
