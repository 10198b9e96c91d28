"""Pictures are found in folders, zips, globs and files, and each is called by its case and file."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from marrow.batch.sources import Picture, find_pictures, is_on_hub
from marrow.errors import MarrowError


@pytest.fixture
def smears(tmp_path) -> Path:
    folder = tmp_path / "smears"
    for name in ("a.jpg", "first/b.PNG", "first/deep/c.tif", "first/notes.txt", ".hidden/d.jpg", "first/._b.PNG"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(name.encode())
    return folder


def _names(pictures: list[Picture]) -> list[tuple[str, str]]:
    return [(picture.case, picture.file) for picture in pictures]


def test_every_folder_below_is_a_case(smears):
    found = find_pictures([str(smears)])
    assert _names(found) == [("smears", "a.jpg"), ("smears/first", "b.PNG"), ("smears/first/deep", "c.tif")]
    assert [picture.read() for picture in found] == [b"a.jpg", b"first/b.PNG", b"first/deep/c.tif"]


def test_a_zip_is_a_case_and_its_members_are_read(smears, tmp_path):
    with zipfile.ZipFile(tmp_path / "case 7.zip", "w") as archive:
        for name in ("x/1.png", "__MACOSX/x/1.png", "x/readme.txt"):
            archive.writestr(name, name)
    (picture,) = find_pictures([str(tmp_path / "case 7.zip")])
    assert (picture.case, picture.file, picture.read()) == ("case 7", "x/1.png", b"x/1.png")


def test_globs_and_files_belong_to_the_folder_that_holds_them(smears):
    assert _names(find_pictures([str(smears / "*" / "*.PNG")])) == [("first", "b.PNG")]
    assert _names(find_pictures([str(smears / "a.jpg"), str(smears / "*.jpg")])) == [("smears", "a.jpg")]


def test_what_is_not_there_or_named_twice_is_refused(smears, tmp_path):
    with pytest.raises(MarrowError, match=r"There is no .*nowhere"):
        find_pictures([str(tmp_path / "nowhere")])
    with pytest.raises(MarrowError, match="no pictures in"):
        find_pictures([str(smears / "*.bmp")])
    (tmp_path / "z.zip").write_bytes(b"PK no zip")
    with pytest.raises(MarrowError, match="make the zip again"):
        find_pictures([str(tmp_path / "z.zip")])
    other = tmp_path / "other" / "smears"
    other.mkdir(parents=True)
    (other / "a.jpg").write_bytes(b"another")
    with pytest.raises(MarrowError, match=r"both hold smears/a\.jpg"):
        find_pictures([str(smears), str(other)])


def test_a_picture_that_is_gone_is_a_sentence(smears):
    (picture, *_) = find_pictures([str(smears)])
    (smears / "a.jpg").unlink()
    with pytest.raises(MarrowError, match=r"a\.jpg cannot be read"):
        picture.read()


@pytest.mark.parametrize(
    ("source", "expected"),
    [("someone/smears", True), ("smears", False), ("a/b/c", False), ("/smears", False), ("some*/x", False)],
)
def test_an_id_of_the_hub_is_told_from_a_path(source, expected, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert is_on_hub(source) is expected
    (tmp_path / "someone" / "smears").mkdir(parents=True)
    assert not is_on_hub("someone/smears")
