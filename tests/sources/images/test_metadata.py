from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lynkeus.core import SourceError
from lynkeus.sources.images.metadata import read_metadata

IMAGES = ("a/1.png", "a/2.png", "b/1.png", "b/3 ü.png")


def table(folder: Path, text: str) -> Path:
    (folder / "meta.csv").write_text(text, encoding="utf-8")
    return folder / "meta.csv"


def test_columns_follow_the_images(tmp_path: Path):
    path = table(
        tmp_path,
        "angle_deg,file,cavity,cell,note\n4.5,2.png,0012,3,x\n3,a/1.png,0012,1,\n"
        "2,b\\1.png,0013,2,y\n1,./b/3 ü.png,7,9,z\n",
    )
    found = read_metadata(path, IMAGES)
    assert found.columns["angle_deg"].tolist() == [3, 4.5, 2, 1]
    assert found.columns["cavity"].tolist() == ["0012", "0012", "0013", "7"]
    assert found.columns["cell"].tolist() == [1, 3, 2, 9]
    assert found.columns["note"].tolist() == ["", "x", "y", "z"]
    assert "file" not in found.columns
    assert (found.truth, found.messages) == (None, [])


def test_rows_without_image_and_images_without_row_are_counted(tmp_path: Path):
    found = read_metadata(
        table(tmp_path, "file,cell,side\na/1.png,1,left\ngone.png,2,left\nlost.png,3,right\n"), IMAGES
    )
    np.testing.assert_array_equal(found.columns["cell"], [1, np.nan, np.nan, np.nan])
    assert found.columns["side"].tolist() == ["left", "", "", ""]
    assert found.messages == [
        "2 metadata rows have no image: gone.png, lost.png",
        "3 images have no metadata row: a/2.png, b/1.png, b/3 ü.png",
    ]


def test_parquet_with_times_and_numbers(tmp_path: Path):
    when = np.array(["2024-05-01T12:00:00", "NaT", "2024-05-02T00:00:00", "2024-05-03T00:00:00"], "datetime64[s]")
    columns = {"file": IMAGES, "time": when, "scan": [1, 2, 3, 4], "q0": np.arange(4.0), "label": [0, 1, 1, 0]}
    pq.write_table(pa.table(columns), tmp_path / "meta.parquet")
    found = read_metadata(tmp_path / "meta.parquet", IMAGES)
    assert [time[:19] for time in found.columns["time"][:2]] == ["2024-05-01 12:00:00", ""]
    assert found.columns["scan"].tolist() == ["1", "2", "3", "4"]
    assert found.columns["q0"].tolist() == [0, 1, 2, 3]
    assert found.truth is not None
    assert found.truth.tolist() == [0, 1, 1, 0]


@pytest.mark.parametrize(
    ("labels", "truth", "said"),
    [
        (["good", "Defect", "good", " defect"], [0, 1, 0, 1], ""),
        (["0", "1", "1", "0"], [0, 1, 1, 0], ""),
        (["good", "crack", "good", "pit"], None, "label is 'crack', not one of"),
        (["good", "", "", "defect"], None, "label is empty for 2 images"),
    ],
)
def test_labels_are_truth_where_all_are_known(tmp_path: Path, labels: list[str], truth: list[int] | None, said: str):
    rows = "".join(f"{image},{label}\n" for image, label in zip(IMAGES, labels, strict=True))
    found = read_metadata(table(tmp_path, "file,label\n" + rows), IMAGES)
    assert (None if found.truth is None else found.truth.tolist()) == truth
    assert found.columns["label"].tolist() == labels
    assert said in "".join(found.messages)


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("name,cell\na/1.png,1\n", r"no column 'file'; there are name, cell"),
        ("file,cell\na/1.png,1\n1.png,1\n", r"row 2: file '1\.png' may be a/1\.png and b/1\.png; give the path"),
        ("file,cell\na/2.png,1\n2.png,1\n", r"rows 1 and 2 are both of a/2\.png; remove one"),
        ("file,truth\na/1.png,1\n", r"may not be called 'truth'; rename it"),
        ("file,cell\na/1.png,1,2,3\n", r"is not a CSV \(UTF-8\) or Parquet table of metadata"),
        ("", r"empty \(0 bytes\)"),
    ],
)
def test_a_table_that_cannot_be_used_is_refused(tmp_path: Path, text: str, match: str):
    with pytest.raises(SourceError, match=match) as caught:
        read_metadata(table(tmp_path, text), IMAGES)
    assert str(tmp_path / "meta.csv") in str(caught.value)
    assert "\n" not in str(caught.value)


def test_damaged_tables_are_refused(tmp_path: Path):
    for name, content in (("a.parquet", b"PAR1 no"), ("a.csv", b"file,cell\n\xff\xfe.png,1\n")):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(SourceError, match="is not a CSV"):
            read_metadata(tmp_path / name, IMAGES)
    with pytest.raises(SourceError, match="no such file"):
        read_metadata(tmp_path / "none.csv", IMAGES)
