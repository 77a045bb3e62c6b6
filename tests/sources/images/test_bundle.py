import fcntl
import json
import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lynkeus.core import SourceError, concatenate
from lynkeus.sources import open_source, origin_of
from lynkeus.sources.images.bundle import ImageBundle
from lynkeus.sources.images.bundle_writer import write_images
from lynkeus.sources.images.crops import Crops
from lynkeus.sources.images.folder import ImageSource
from lynkeus.sources.images.shard import RECORD

# Each image is on the disk before the next, and takes its time; also in the processes, which read this as well.
SLOW = """
import sys, time
from lynkeus.sources.images import shard as image_shard
from lynkeus.sources.images.crops import Crops
from lynkeus.sources.images.bundle_writer import write_images
from lynkeus.sources.images.folder import ImageSource
def slow_strips(picture, strips_of=image_shard.strips_of):
    time.sleep(float(sys.argv[3]))
    return strips_of(picture)
image_shard.COMMIT_BYTES = 1
image_shard.strips_of = slow_strips
if __name__ == "__main__":
    report = lambda done: print(done, flush=True)
    write_images(ImageSource(sys.argv[1]), sys.argv[2], Crops(16, 4), report, int(sys.argv[4]))
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """30 images of three sizes, one too small, two broken, with a table."""
    rng = np.random.default_rng(1)
    images = tmp_path / "images"
    (images / "b").mkdir(parents=True)
    for k in range(30):
        rows, columns = ((40, 50), (40, 50), (33, 47))[k % 3] if k != 7 else (8, 90)
        pixels = rng.integers(0, 256, (rows, columns, 3), np.uint8)
        Image.fromarray(pixels).save(images / ("b/" if k > 20 else "") / f"{k:02}.png")
    (images / "04.png").write_bytes(b"no image")
    (images / "b" / "25.png").write_bytes(b"")
    rows = [f"{k:02}.png,{k},{'defect' if k % 5 == 0 else 'good'}" for k in range(30)]
    (tmp_path / "meta.csv").write_text("\n".join(["file,angle_deg,label", *rows]))
    return images


def bundle(folder: Path, name: str, crops: Crops = Crops(), **options) -> ImageBundle:  # noqa: B008
    return write_images(ImageSource(folder, folder.parent / "meta.csv"), folder.parent / name, crops, **options)


def by_hand(folder: Path, size: int) -> dict[tuple[str, int, int], np.ndarray]:
    """Every tile of every image by file, x, y, cut by plain loops."""
    tiles = {}
    for path in folder.rglob("*.png"):
        if path.name in ("04.png", "25.png", "07.png"):
            continue
        pixels = np.asarray(Image.open(path)).transpose(2, 0, 1)
        for y in {min(y, pixels.shape[1] - size) for y in range(0, pixels.shape[1], size - 4)}:
            for x in {min(x, pixels.shape[2] - size) for x in range(0, pixels.shape[2], size - 4)}:
                tiles[path.relative_to(folder).as_posix(), x, y] = pixels[:, y : y + size, x : x + size]
    return tiles


def require_all_tiles(found: ImageBundle, folder: Path) -> None:
    """Nothing twice, nothing missing, every pixel right."""
    wanted = by_hand(folder, 16)
    assert len(found) == len(wanted)
    batch = concatenate(list(found))
    places = zip(*(batch.meta[name].tolist() for name in ("file", "crop_x", "crop_y")), strict=True)
    for place, values in zip(places, batch.values, strict=True):
        np.testing.assert_array_equal(values, wanted.pop(place))
    assert not wanted


def test_tiles_are_cut_at_read_time_and_know_where_they_come_from(folder: Path):
    done: list[int] = []
    found = bundle(folder, "out", Crops(16, 4), progress=done.append)
    require_all_tiles(found, folder)
    assert done == list(range(1, 31))
    assert found.schema.shape == (3, 16, 16)
    batch = concatenate(list(found))
    angle = np.array([int(Path(file).stem) for file in batch.meta["file"]])
    np.testing.assert_array_equal(batch.meta["angle_deg"], angle)
    np.testing.assert_array_equal(batch.truth, angle % 5 == 0)
    out = folder.parent / "out"
    assert {p.name for p in out.iterdir()} == {"pixels-0.npy", "images.parquet", "crops.npy", "schema.json"}
    stored = sum(np.asarray(Image.open(folder / file)).size for file in set(batch.meta["file"].tolist()))
    assert np.load(out / "pixels-0.npy").shape == (stored,)
    assert set(found.provenance["skipped"]) == {"04.png", "07.png", "b/25.png"}
    assert "07.png is 90 x 8 pixels, smaller than a crop of 16" in found.messages[0]
    assert isinstance(open_source(out), ImageBundle)
    assert origin_of(found) == {"bundle": str(out), **ImageSource(folder, folder.parent / "meta.csv").origin}


def test_mean_and_std_are_those_of_all_pixels_and_not_baked_in(folder: Path, monkeypatch: pytest.MonkeyPatch):
    found = bundle(folder, "out")
    pixels = np.concatenate([batch.values.transpose(0, 2, 3, 1).reshape(-1, 3) for batch in found])
    np.testing.assert_allclose(found.mean, pixels.mean(axis=0))
    np.testing.assert_allclose(found.std, pixels.std(axis=0))
    monkeypatch.setattr("lynkeus.sources.images.shard.COUNTED_PIXELS", 100)
    np.testing.assert_allclose(bundle(folder, "sampled").mean, found.mean, atol=5)


def test_whole_images_are_what_the_folder_gives(folder: Path):
    table = folder.parent / "meta.csv"
    for one, other in zip(ImageSource(folder, table), bundle(folder, "out"), strict=True):
        np.testing.assert_array_equal(one.values, other.values)
        for name in one.meta:
            np.testing.assert_array_equal(one.meta[name], other.meta[name])
    with pytest.raises(SourceError, match="images of several sizes cannot share a batch"):
        ImageBundle(folder.parent / "out").take(np.array([0, 2]))


def test_shrunk_crops_give_places_in_pixels_of_the_image(tmp_path: Path):
    (tmp_path / "images").mkdir()
    picture = Image.new("L", (200, 100))
    picture.paste(255, (120, 40, 140, 60))
    picture.save(tmp_path / "images" / "1.png")
    found = write_images(ImageSource(tmp_path / "images"), tmp_path / "out", Crops(80, 20, resize=20))
    (batch,) = found
    assert set(batch.meta["crop_scale"]) == {4}
    for k in np.flatnonzero(batch.values.max(axis=(1, 2, 3)) == 255):
        y, x = np.argwhere(batch.values[k, 0] == 255).mean(axis=0) + 0.5
        assert abs(batch.meta["crop_x"][k] + 4 * x - 130) <= 2 or batch.values[k, 0, :, [0, -1]].any()
        assert abs(batch.meta["crop_y"][k] + 4 * y - 50) <= 2 or batch.values[k, 0, [0, -1]].any()


def test_take_reads_any_crops_in_any_order(folder: Path):
    found = bundle(folder, "out", Crops(16, 4))
    all_ = concatenate(list(found))
    index = np.random.default_rng(0).permutation(len(found))[:50]
    taken = found.take(index)
    np.testing.assert_array_equal(taken.values, all_.values[index])
    np.testing.assert_array_equal(taken.meta["file"], all_.meta["file"][index])
    assert taken.values.transpose(0, 2, 3, 1).flags.c_contiguous


@pytest.mark.slow
def test_two_processes_write_the_same(folder: Path):
    found = bundle(folder, "out", Crops(16, 4), processes=2)
    require_all_tiles(found, folder)
    assert (folder.parent / "out" / "pixels-1.npy").exists()
    one = bundle(folder, "one", Crops(16, 4))
    np.testing.assert_array_equal(concatenate(list(found)).values, concatenate(list(one)).values)
    np.testing.assert_allclose(found.mean, one.mean)


def _start(folder: Path, pause_s: float, processes: int) -> subprocess.Popen[str]:
    script = folder.parent / "slow.py"
    script.write_text(SLOW)
    command = [sys.executable, str(script), str(folder), str(folder.parent / "out"), str(pause_s), str(processes)]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(command, stdout=subprocess.PIPE, env=environment, text=True)


@pytest.mark.slow(2)
@pytest.mark.parametrize("processes", [1, 2])
def test_a_killed_run_goes_on_with_nothing_twice_and_nothing_missing(folder: Path, processes: int):
    partial = folder.parent / "out.partial"
    with _start(folder, 0.1, processes) as writer:
        assert writer.stdout is not None
        for line in writer.stdout:
            if int(line) >= 6:
                writer.send_signal(signal.SIGKILL)
                break
    for path in partial.glob("pixels-*.npy"):  # its processes end by themselves
        with path.open("r+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
    safe = sum(path.stat().st_size for path in partial.glob("records-*.raw")) // RECORD.itemsize
    assert 6 <= safe < 30
    with pytest.raises(SourceError, match="not finished"):
        open_source(partial)
    with (partial / "pixels-0.npy").open("ab") as pixels, (partial / "records-0.raw").open("ab") as records:
        pixels.write(b"half an image")
        records.write(b"half a record")
    with _start(folder, 0, processes) as writer:
        done = [int(line) for line in writer.communicate()[0].split()]
    assert writer.returncode == 0
    assert done[0] >= 6
    require_all_tiles(ImageBundle(folder.parent / "out"), folder)


def test_a_full_disk_loses_nothing_that_was_written(folder: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("lynkeus.sources.images.shard.COMMIT_BYTES", 1)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, limits[1]))
    try:
        with pytest.raises(SourceError, match=r"make room, run the same command again") as caught:
            bundle(folder, "out", Crops(16, 4))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert "\n" not in str(caught.value)
    done: list[int] = []
    require_all_tiles(bundle(folder, "out", Crops(16, 4), progress=done.append), folder)
    assert done[0] == 13  # of the first twelve 04 is no image and 07 too small; of the others 54.6 kB fit


def test_an_unfinished_bundle_of_other_images_or_crops_is_refused(folder: Path):
    def stop(done: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        bundle(folder, "out", Crops(16), progress=stop)
    with pytest.raises(SourceError, match="begun from another source"):
        bundle(folder, "out", Crops(16, 4))
    (folder / "29.png").write_bytes((folder / "00.png").read_bytes())
    with pytest.raises(SourceError, match="begun from another source"):
        bundle(folder, "out", Crops(16))
    bundle(folder, "other")
    with pytest.raises(SourceError, match="exists already"):
        bundle(folder, "other")


def test_another_run_that_is_writing_is_respected(folder: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("lynkeus.sources.images.shard.LOCK_S", 0.0)

    def again(done: int) -> None:
        if done == 1:
            with pytest.raises(SourceError, match="another run is writing it"):
                bundle(folder, "out")

    assert len(bundle(folder, "out", progress=again)) == 28


def test_nothing_to_store_is_an_error(folder: Path):
    with pytest.raises(SourceError, match=r"30 of 30 images were skipped: .*; nothing is left to be bundled"):
        bundle(folder, "out", Crops(1000))


def test_a_damaged_bundle_is_refused(folder: Path):
    bundle(folder, "out", Crops(16))
    for name in ("pixels-0.npy", "images.parquet", "crops.npy", "schema.json"):
        path = folder.parent / "out" / name
        content = path.read_bytes()
        for damaged in (content[: len(content) // 2], b""):
            path.write_bytes(damaged)
            with pytest.raises(SourceError, match="bundle is damaged") as caught:
                ImageBundle(folder.parent / "out")
            assert "\n" not in str(caught.value)
        path.write_bytes(content)
    path.write_text(json.dumps(json.loads(content) | {"crops": {"size": -1}}))
    with pytest.raises(SourceError, match="bundle is damaged"):
        ImageBundle(folder.parent / "out")
