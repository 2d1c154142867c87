"""The spool: lines on this disk until somebody has taken them to where they belong.

A process writes its own files, one line with one write, and knows then that the line outlives it: the page cache is the
kernel's (a loss of power is not covered). The writer holds a lock on the file that it is writing; who can lock a file
knows that nothing will be added to it, whether its writer went on to the next or was killed.
"""

import errno
import fcntl
import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from itertools import count
from pathlib import Path
from time import monotonic

from slipway.errors import Broken

SEGMENT = 1 << 20  # bytes of a file before the next is begun
LIMIT = 1 << 30  # bytes of all files
PROBE = b" " * (1 << 16)  # so much must fit on the disk before a writer that failed calls itself well again
LOOK_SECONDS = 0.2  # between two looks whether the file is still there: each costs as much as the line itself
SUFFIX = ".spool"
REMEDY = "A spool holds files of the service alone, on a disk that the shipper may write to."


class Full(Exception):
    """A line could not be written, and none of it is there."""


class Writer:
    """Writes the lines of one process; `name` is not that of any other, ever."""

    def __init__(self, folder: Path, name: str, segment: int = SEGMENT, limit: int = LIMIT) -> None:
        """Begin a file; if that does not work, `problem` says why, and the next line tries again."""
        self._folder, self._segment, self._limit = folder, segment, limit
        self._names = (folder / f"{name}-{number:08}{SUFFIX}" for number in count())
        self._file, self._size = -1, segment  # so that a file is begun
        self._problem, self._look = "", 0.0
        with suppress(Full):
            self.append(b"")

    def append(self, line: bytes) -> None:
        """Write a line, which ends with its only newline. Once this returns, it survives the process.

        Raises:
            Full: it does not fit; nothing of it is left.

        """
        try:
            if self._size >= self._segment or self._removed():
                self._begin()
            self._write(line)
        except OSError as error:
            self._problem = str(error.strerror)
            raise Full(self._problem) from error
        self._problem = ""

    def problem(self) -> str:
        """Say why the last line could not be written; empty if it was, or if one could be by now."""
        if self._problem:
            with suppress(Full):
                self.append(PROBE)
                self._size -= len(PROBE)
                self._cut()
        return self._problem

    def waiting(self) -> int:
        """Bytes in the folder, of all processes."""
        return waiting(self._folder)

    def close(self) -> None:
        """Let go of the file: a reader finishes it."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _removed(self) -> bool:
        """A file that somebody has removed takes lines as before, and nobody would find them. Asked now and then."""
        if (now := monotonic()) < self._look:
            return False
        if not os.fstat(self._file).st_nlink:
            return True
        self._look = now + LOOK_SECONDS
        return False

    def _begin(self) -> None:
        if waiting(self._folder) >= self._limit:
            raise OSError(errno.EDQUOT, f"{self._limit} bytes are waiting to be shipped")
        while True:
            path = next(self._names)
            file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o640)
            with suppress(BlockingIOError):  # a reader was faster: it takes an empty file for one that is done with
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if os.fstat(file).st_nlink:
                    break
            os.close(file)
        self.close()
        self._file, self._size = file, 0

    def _write(self, line: bytes) -> None:
        try:
            if os.write(self._file, line) < len(line):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))  # noqa: TRY301  # what the next write would say
        except OSError:
            self._cut()
            if self._size:  # what is in it can be shipped, and makes room
                self._leave()
            raise
        self._size += len(line)

    def _cut(self) -> None:
        """Take back what a write has left, or leave the file: a reader drops what does not end with a newline."""
        try:
            os.ftruncate(self._file, self._size)
        except OSError:
            self._leave()

    def _leave(self) -> None:
        self.close()
        self._size = self._segment


class Reader:
    """Reads what all writers of a folder have written."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._files: dict[Path, int] = {}
        self._offsets: dict[Path, int] = {}

    def batches(self) -> Iterator[list[bytes]]:
        """Yield what is new, file by file, as whole lines. Whoever asks for the next has stored the last for good.

        A file that another reader has finished, or that somebody has removed, is read to its end, and let go.

        Raises:
            Broken: after all else was yielded, for what cannot be read or removed; or the folder is not there.

        """
        try:
            listed = {path for path in self._folder.iterdir() if path.name.endswith(SUFFIX)}
        except OSError as error:
            raise Broken(f"the spool {self._folder} cannot be read: {error.strerror}", REMEDY) from error
        failed = ""
        for path in sorted(listed | self._files.keys()):
            try:
                if path not in self._files:
                    self._files[path], self._offsets[path] = _open(path), 0
                yield from self._new(path)
            except FileNotFoundError:  # another reader has finished it
                continue
            except OSError as error:
                failed = f"{path} cannot be read, or not be removed: {error.strerror}"
        if failed:
            raise Broken(failed, REMEDY)

    def _new(self, path: Path) -> Iterator[list[bytes]]:
        file = self._files[path]
        done = _lock(file)  # asked before reading: then there is nothing behind what is read
        offset = self._offsets[path]
        whole = os.pread(file, os.fstat(file).st_size - offset, offset).rpartition(b"\n")[0]
        if whole:
            yield whole.split(b"\n")
            self._offsets[path] += len(whole) + 1
        if done:
            path.unlink(missing_ok=True)
            os.close(self._files.pop(path))
            del self._offsets[path]


def waiting(folder: Path) -> int:
    """Bytes of the files in a folder. The one that is being written counts whole, shipped or not."""
    sizes = 0
    for path in folder.glob(f"*{SUFFIX}"):
        with suppress(FileNotFoundError):
            sizes += path.stat().st_size
    return sizes


def _open(path: Path) -> int:
    """Open a file to read. What is none, is a link to one, or waits for a writer, is an OSError."""
    file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    if not stat.S_ISREG(os.fstat(file).st_mode):
        os.close(file)
        raise OSError(errno.EINVAL, "it is no file")
    return file


def _lock(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
