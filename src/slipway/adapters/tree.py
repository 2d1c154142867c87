"""A folder as a tree of files, for its digest. The service carries this module: it reads its own bento with it."""

import os
from collections.abc import Iterator
from pathlib import Path

from slipway.digests import Tree
from slipway.errors import Broken


class Unbound(Broken):
    """The folder holds what its digest would not bind."""


def read(root: Path) -> Tree:
    """Read every file below a folder, by relative POSIX path, with whether it may be executed.

    Raises:
        Broken: a file or folder cannot be read.
        Unbound: it holds what its digest would not bind: a link, a device, a folder without a file, a name that is no
            UTF-8; or no file at all.

    """
    try:
        return {path: _content(root, path) for path in sorted(_files(root, ""))}  # nothing is read before all are known
    except OSError as error:
        raise Broken(
            f"{error.filename} cannot be read: {error.strerror}", "Run the step that makes it first."
        ) from error


def _files(root: Path, folder: str) -> Iterator[str]:
    """The files below a folder of the tree; "" is the tree itself."""
    with os.scandir(root / folder) as listed:
        found = list(listed)
    if not found:
        # Only files are entries: a folder that holds none could come and go unseen.
        raise _refused(root / folder, "holds no file")
    for entry in found:
        path = f"{folder}/{entry.name}" if folder else entry.name
        if not _is_utf8(entry.name):
            raise _refused(root / path, "has a name that is no UTF-8")
        if entry.is_dir(follow_symlinks=False):
            yield from _files(root, path)
        elif entry.is_file(follow_symlinks=False):
            yield path
        else:
            raise _refused(root / path, "is not a regular file")


def _content(root: Path, path: str) -> tuple[bytes, bool]:
    with (root / path).open("rb") as stream:
        return stream.read(), bool(os.fstat(stream.fileno()).st_mode & 0o100)


def _is_utf8(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _refused(path: Path, why: str) -> Unbound:
    shown = str(path) if str(path).isprintable() else ascii(str(path))
    return Unbound(f"{shown} {why}", "Only folders with regular files in them have a digest: mend it, or make it anew.")
