"""A watch of a folder of images: each once, whole files only, a kill or a broken file loses and doubles nothing."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lynkeus.core import SettingsError, Verdict
from lynkeus.fitting.fitted import Fitted
from lynkeus.monitor.folders.images import ImageWatch, WatchedImages
from lynkeus.monitor.folders.watch import Watched, watch_folder
from lynkeus.monitor.human_labels import human_labels
from lynkeus.monitor.image_records import ImageRecord, images_after
from lynkeus.monitor.opinions import Opinion, add_opinion
from lynkeus.monitor.store import Store

pytestmark = pytest.mark.slow(0.5)
ENOUGH = 12
URL = "sqlite:///watch.db"
COMMAND = "from lynkeus.cli import main; main()"


class EnoughError(Exception):
    """The folder has been watched long enough."""


def kept(url: str = URL) -> list[ImageRecord]:
    store = Store(url)
    try:
        return [one for _, one in images_after(store)]
    finally:
        store.close()


def picture(path: Path) -> Image.Image:
    with Image.open(path) as opened:
        return opened.copy()


@pytest.fixture
def watched(surface: Any, images: Path, tmp_path: Path) -> Callable[..., Watched]:
    """Watches `images` into a store; `looks`: what happens before each further look into the folder, until it ends."""

    def watch(looks: list[Callable[[], object]] | None = None, **given: Any) -> Watched:
        store, left = Store(f"sqlite:///{tmp_path / 'watch.db'}"), list(looks or [])
        files = WatchedImages(Fitted.load(surface.model), ImageWatch(surface.model, images, **given), store)
        look, seen = files.look, Watched()

        def looking() -> dict[str, Any]:
            if looks is not None and files.asked > 1:  # type: ignore[attr-defined]
                if not left:
                    raise EnoughError
                left.pop(0)()
            files.asked += 1  # type: ignore[attr-defined]
            return look()

        def tick(now: Watched) -> None:
            vars(seen).update(vars(now))

        files.asked, files.look = 0, looking  # type: ignore[attr-defined, method-assign]
        try:
            watch_folder(files, looks is not None, tick, pause_s=0.01)
        except EnoughError:
            pass
        finally:
            store.close()
        return seen

    return watch


def test_what_is_there_is_judged_as_score_does(
    lynkeus: Any, watched: Any, surface: Any, images: Path, scored: Any, tmp_path: Path
) -> None:
    done = lynkeus(
        "watch", surface.model, images, "--store", URL, "--replay", 0, "--maps", "maps", "--meta", "meta.csv"
    )
    assert done.code == 1  # pits were found
    rows = {one.file: one for one in kept()}
    (tmp_path / "out").mkdir()
    for row in scored(images, tmp_path / "out"):
        own = rows[row["file"]]
        assert own.row["cavity"].startswith("cav")
        assert np.load(tmp_path / "maps" / own.row["map"], allow_pickle=False).shape == (96, 128)
        expected = "good" if own.row["p_value"] >= 0.01 else "bad" if own.row["p_value"] < 0.001 else "warn"
        assert own.verdict == expected
        assert (f"{own.file}: {expected.upper()}, p = " in done.err) == (expected != "good")
    assert len(rows) == ENOUGH
    assert "12 images judged now" in done.err
    again = lynkeus("watch", surface.model, images, "--store", URL, "--replay", 0)
    assert (again.code, len(kept())) == (0, ENOUGH)
    assert "0 images judged now" in again.err


def test_images_that_come_and_change_are_judged_once_each(watched: Any, images: Path, tmp_path: Path) -> None:
    first, second = sorted(images.iterdir())[:2]
    rest = tmp_path / "rest"
    rest.mkdir()
    for path in sorted(images.iterdir())[2:]:
        path.rename(rest / path.name)
    steps = [
        lambda: shutil.copy(rest / "05.png", images / "late.png"),
        lambda: None,  # it stands still now
        lambda: shutil.copy(second, first),  # another picture under a name that was judged
        lambda: None,
        lambda: None,
    ]
    done = watched(steps)
    assert done.judged == 4
    found = [one.file for one in kept(f"sqlite:///{tmp_path / 'watch.db'}")]
    assert sorted(found) == ["00.png", "00.png", "01.png", "late.png"]
    assert found[-2:] == ["late.png", "00.png"]


def test_a_file_is_waited_for_until_it_is_whole(watched: Any, images: Path, tmp_path: Path) -> None:
    whole, growing = (images / "00.png").read_bytes(), images / "00.png"
    for path in list(images.iterdir()):
        if path != growing:
            path.unlink()
    growing.write_bytes(whole[: len(whole) // 2])  # the writer pauses: it stands still, and cannot be read
    done = watched([lambda: None, lambda: None, lambda: growing.write_bytes(whole), lambda: None, lambda: None])
    assert (done.judged, done.unjudged, done.messages[1:]) == (1, 0, [])
    assert [one.size for one in kept(f"sqlite:///{tmp_path / 'watch.db'}")] == [len(whole)]


def test_what_stays_broken_is_said_once_and_judged_when_it_is_mended(
    watched: Any, images: Path, tmp_path: Path
) -> None:
    whole, broken = (images / "00.png").read_bytes(), images / "00.png"
    broken.write_bytes(whole[:200])
    (images / "empty.jpg").touch()
    done = watched()
    done = watched([lambda: None, lambda: None], patience_s=0.0)
    assert (done.judged, done.unjudged) == (2, 2)
    assert [line.split(",")[0] for line in done.messages] == [
        "00.png: NOT ENOUGH DATA", "empty.jpg: NOT ENOUGH DATA",
    ]  # fmt: skip
    assert "empty (0 bytes)" in done.messages[1]
    assert watched(patience_s=0.0).judged == 0
    broken.write_bytes(whole)
    assert watched(patience_s=0.0).judged == 1
    last = kept(f"sqlite:///{tmp_path / 'watch.db'}")[-1]
    assert (last.file, last.size) == ("00.png", len(whole))
    assert last.verdict != Verdict.NOT_ENOUGH_DATA


def test_pages_are_judged_each_and_masks_not(watched: Any, images: Path, tmp_path: Path) -> None:
    first, second, *others = [picture(path) for path in sorted(images.iterdir())[:4]]
    for path in list(images.iterdir()):
        path.unlink()
    first.save(images / "scan.tif", save_all=True, append_images=[second])
    (images / "masks").mkdir()
    others[0].save(images / "masks" / "a.png")
    done = watched([lambda: others[1].save(images / "masks" / "b.png"), lambda: None, lambda: None])
    assert [one.file for one in kept(f"sqlite:///{tmp_path / 'watch.db'}")] == ["scan.tif#1", "scan.tif#2"]
    assert done.judged == 2
    assert sum("left out" in line for line in done.messages) == 2
    assert watched().judged == 0


def test_an_empty_folder_is_waited_for(watched: Any, images: Path, tmp_path: Path) -> None:
    aside = images.rename(tmp_path / "aside")
    images.mkdir()
    done = watched([lambda: shutil.copy(aside / "00.png", images), lambda: None])
    assert done.judged == 1
    assert done.messages[0] == f"{images}: no image yet"


@pytest.mark.slow(12)
def test_killed_at_any_moment_it_goes_on(surface: Any, images: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-c", COMMAND, "watch", surface.model, images, "--store", URL]
    path = tmp_path / "watch.db"
    with subprocess.Popen([*command, "--maps", "maps"], cwd=tmp_path, stderr=subprocess.DEVNULL) as process:
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline and (not path.exists() or len(kept(f"sqlite:///{path}")) < 3):
            assert process.poll() is None
            time.sleep(0.02)
        process.kill()
    assert len(kept(f"sqlite:///{path}")) >= 3
    ended = subprocess.run([*command, "--replay", "0", "--maps", "maps"], cwd=tmp_path, stderr=subprocess.PIPE)
    assert b"Traceback" not in ended.stderr
    found = kept(f"sqlite:///{path}")
    assert [one.file for one in found] == sorted(file.name for file in images.iterdir())
    assert all((tmp_path / "maps" / one.row["map"]).is_file() for one in found)


def test_what_people_said_of_watched_images_teaches(watched: Any, images: Path, tmp_path: Path) -> None:
    watched()
    url = f"sqlite:///{tmp_path / 'watch.db'}"
    one, store = kept(url)[0], Store(url)
    add_opinion(store, Opinion("image", one.images, one.file, "defect", "N. Shifter"))
    store.close()
    assert human_labels(url).images == {images / one.file: 1}


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--budget", "1/h"), "--budget: has no meaning for images"),
        (("--logbook", "log.csv"), "--logbook: has no meaning for images"),
        (("--false-alarms", "2"), "between 0 and 1"),
        (("--meta", "gone.csv"), "gone.csv"),
    ],
)
def test_bad_options_are_one_line(lynkeus: Any, surface: Any, images: Path, options: Any, says: str) -> None:
    assert says in lynkeus("watch", surface.model, images, "--store", URL, *options).line


def test_a_folder_that_is_not_there_makes_no_store(lynkeus: Any, surface: Any, tmp_path: Path) -> None:
    done = lynkeus("watch", surface.model, tmp_path / "nowhere", "--store", URL)
    assert "no such folder" in done.line
    assert not (tmp_path / "watch.db").exists()


def test_maps_of_a_model_of_orbits_are_refused(lynkeus: Any, orbits: Any) -> None:
    assert "--maps: is for files of images" in lynkeus("watch", orbits.model, orbits.later, "--maps", "maps").line


def test_a_model_of_others_is_refused(loudest: Fitted, images: Path, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="not of images"):
        WatchedImages(loudest, ImageWatch(tmp_path, images), Store("sqlite:///:memory:"))
