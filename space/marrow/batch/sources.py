"""The pictures of a study, wherever they lie: folders, globs, zips, single files, and data sets of the Hub."""

from __future__ import annotations

import glob
import lzma
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from marrow.errors import MarrowError

SUFFIXES = frozenset(".jpg .jpeg .jpe .png .tif .tiff .webp .bmp .gif .jp2 .j2k .ppm".split())
"""Endings of files that are taken for pictures; others are passed over."""

MAX_BYTES = 2_000_000_000
"""Of a file that is read: as many as :data:`marrow.images.MAX_PIXELS` need in 16 bits, and no zip bombs."""

_UNREADABLE = (OSError, EOFError, LookupError, RuntimeError, ValueError, zipfile.BadZipFile, zlib.error, lzma.LZMAError)
"""What a file that is gone or forbidden raises, and a zip that is damaged, locked or packed in a way of its own."""


@dataclass(frozen=True)
class Picture:
    """A picture that is not read yet.

    Attributes:
        case: what it is counted with: the folder that holds it, the zip, or the data set.
        file: its name in the case; no two of a case are alike.
        path: the file, or the zip that holds it; ``None`` for one of a data set.
        member: its name in the zip.
        content: the bytes of the file, of one of a data set.
    """

    case: str
    file: str
    path: Path | None = None
    member: str | None = None
    content: bytes | None = None

    def read(self) -> bytes:
        """Return the bytes of its file.

        Raises:
            MarrowError: they cannot be read, or are more than :data:`MAX_BYTES`.
        """
        if self.content is not None:
            return self.content
        assert self.path is not None
        try:
            if self.member is None:
                self._check_size(self.path.stat().st_size)
                return self.path.read_bytes()
            with zipfile.ZipFile(self.path) as archive:
                self._check_size(archive.getinfo(self.member).file_size)
                return archive.read(self.member)
        except _UNREADABLE as error:
            raise MarrowError(f"{self.file} cannot be read ({error}): check the file.") from error

    def _check_size(self, size: int) -> None:
        if size > MAX_BYTES:
            raise MarrowError(f"{self.file} has more than {MAX_BYTES / 1e9:.0f} GB: cut it into fields.")


def find_pictures(sources: Sequence[str]) -> list[Picture]:
    """List the pictures of files, folders, globs and zips, in the order of case and file.

    Of a folder all pictures below it are taken, and each folder that holds some is a case.

    Args:
        sources: paths and patterns.

    Raises:
        MarrowError: a source is not there, holds no picture, or two pictures would be called the same.
    """
    found: dict[tuple[str, str], Picture] = {}
    for source in sources:
        pictures = list(_of_source(source))
        if not pictures:
            raise MarrowError(f"There are no pictures in {source}: name a folder, a zip or files of pictures.")
        for picture in pictures:
            other = found.setdefault((picture.case, picture.file), picture)
            if (other.path, other.member) != (picture.path, picture.member):
                both = f"{other.path} and {picture.path} both hold {picture.case}/{picture.file}"
                raise MarrowError(f"{both}: run them apart, each with its own --out.")
    return [found[key] for key in sorted(found)]


def is_on_hub(source: str) -> bool:
    """Tell whether a source is the id of a data set: ``namespace/name``, and nothing of that name lies here."""
    parts = source.split("/")
    return len(parts) == 2 and all(parts) and not Path(source).exists() and not glob.has_magic(source)


def stream_pictures(reference: str) -> Iterator[Picture]:
    """Read the pictures of a data set of the Hub one after the other, without keeping it here.

    Args:
        reference: id of a data set, ``id@revision`` too, with a column ``image``; a column ``case``, if there is one,
            names the cases.

    Raises:
        MarrowError: the library ``datasets`` is not installed, or the data set cannot be read.
    """
    try:
        import datasets
    except ImportError as error:
        raise MarrowError('Data sets of the Hub need more: pip install "bone-marrow-smear[batch]".') from error
    try:
        name, _, revision = reference.partition("@")
        splits = datasets.load_dataset(name, revision=revision or None, streaming=True)
        for split, rows in splits.items():
            if "image" not in (rows.features or {}):
                raise MarrowError(f"{reference} has no column image: name a data set of pictures.")
            for number, row in enumerate(rows.cast_column("image", datasets.Image(decode=False))):
                file = PurePosixPath(row["image"]["path"] or "picture").name
                case = str(row.get("case") or name)
                yield Picture(case, f"{split}/{number:07d}_{file}", content=row["image"]["bytes"])
    except (OSError, ValueError, datasets.exceptions.DatasetsError) as error:
        raise MarrowError(f"The data set {reference} cannot be read ({error}): check its id.") from error


def _of_source(source: str) -> Iterable[Picture]:
    path = Path(source)
    if path.is_dir():
        return _of_folder(path)
    if path.is_file():
        return _of_file(path)
    if glob.has_magic(source):
        files = (Path(name) for name in sorted(glob.glob(source, recursive=True)))
        return (picture for file in files if file.is_file() for picture in _of_file(file))
    raise MarrowError(f"There is no {source}: name a folder, a zip, files of pictures, or a data set of the Hub.")


def _of_folder(folder: Path) -> Iterator[Picture]:
    top = folder.resolve()
    for path in sorted(top.rglob("*")):
        if path.is_file() and _is_picture(path.relative_to(top).parts):
            below = path.parent.relative_to(top).as_posix()
            yield Picture(_plain(top.name if below == "." else f"{top.name}/{below}"), _plain(path.name), path)


def _of_file(path: Path) -> Iterable[Picture]:
    if path.suffix.lower() != ".zip":
        return [Picture(_plain(path.resolve().parent.name), _plain(path.name), path)]
    try:
        with zipfile.ZipFile(path) as archive:
            members = sorted(one.filename for one in archive.infolist() if not one.is_dir())
    except _UNREADABLE as error:
        raise MarrowError(f"{path} cannot be read ({error}): make the zip again.") from error
    return [
        Picture(_plain(path.stem), _plain(name), path, name)
        for name in members
        if _is_picture(PurePosixPath(name).parts)
    ]


def _plain(name: str) -> str:
    """Return a name as it can be written: not all of a file system are UTF-8."""
    return name.encode(errors="replace").decode()


def _is_picture(parts: Sequence[str]) -> bool:
    """Tell whether a path names a picture, and nothing that a system hides."""
    hidden = any(part.startswith(".") or part == "__MACOSX" for part in parts)
    return not hidden and PurePosixPath(parts[-1]).suffix.lower() in SUFFIXES
