"""The spool: what was written is read whole and once, whoever is killed, and whatever the disk says."""

import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from slipway.adapters import spool
from slipway.adapters.spool import LOOK_SECONDS, Full, Reader, Writer
from slipway.errors import Broken

LINE = b'{"some": "line"}\n'
KILLED = """
import sys
from pathlib import Path
from slipway.adapters.spool import Writer
writer = Writer(Path(sys.argv[1]), "killed", segment=4096)
number = 0
while True:
    writer.append(b"%d\\n" % number)
    sys.stdout.buffer.write(b"%d\\n" % number)
    sys.stdout.buffer.flush()
    number += 1
"""


def lines(reader: Reader) -> list[bytes]:
    """All that is new."""
    return [line for batch in reader.batches() for line in batch]


def left(folder: Path) -> list[str]:
    """Names of the files of a spool."""
    return sorted(path.name for path in folder.iterdir())


def test_lines_are_read_once_and_in_order(tmp_path: Path) -> None:
    """While it is written, after the writer went on to the next file, and after it let go: then nothing is left."""
    writer, reader = Writer(tmp_path, "a", segment=100), Reader(tmp_path)
    read = []
    for number in range(50):
        writer.append(b"%d\n" % number)
        if number % 3 == 0:
            read += lines(reader)
    writer.close()
    read += lines(reader)
    assert read == [b"%d" % number for number in range(50)]
    assert lines(reader) == []
    assert left(tmp_path) == []


def test_what_was_not_stored_is_read_again(tmp_path: Path) -> None:
    """A batch that the reader's owner could not store comes again, to this reader and to one that is started anew."""
    writer, reader = Writer(tmp_path, "a"), Reader(tmp_path)
    writer.append(LINE)
    batches = reader.batches()
    assert next(batches) == [LINE[:-1]]
    batches.close()  # as an exception does
    assert lines(reader) == [LINE[:-1]]
    assert lines(reader) == []
    assert lines(Reader(tmp_path)) == [LINE[:-1]]
    writer.close()
    batches = reader.batches()
    assert next(batches, None) is None
    assert left(tmp_path) == []


def test_a_file_that_is_not_stored_stays(tmp_path: Path) -> None:
    """A file is removed when its last batch is stored, not when it is read."""
    writer = Writer(tmp_path, "a")
    writer.append(LINE)
    writer.close()
    batches = Reader(tmp_path).batches()
    next(batches)
    assert left(tmp_path) == ["a-00000000.spool"]
    assert next(batches, None) is None
    assert left(tmp_path) == []


def test_a_live_file_is_kept(tmp_path: Path) -> None:
    """A file without news is still its writer's; so is one that is empty."""
    writer, reader = Writer(tmp_path, "a"), Reader(tmp_path)
    assert lines(reader) == []
    writer.append(LINE)
    assert [lines(reader), lines(reader)] == [[LINE[:-1]], []]
    writer.append(LINE)
    assert lines(reader) == [LINE[:-1]]


def test_a_line_longer_than_a_file_is_one_line(tmp_path: Path) -> None:
    """The largest request is longer than a segment."""
    writer, reader = Writer(tmp_path, "a", segment=100), Reader(tmp_path)
    for _ in range(2):
        writer.append(5000 * b"x" + b"\n")
    assert lines(reader) == [5000 * b"x"] * 2


def test_the_end_that_a_killed_writer_left_is_dropped(tmp_path: Path) -> None:
    """Half a line was never acknowledged."""
    (tmp_path / "a-00000000.spool").write_bytes(LINE + b'{"half"')
    assert lines(Reader(tmp_path)) == [LINE[:-1]]
    assert left(tmp_path) == []


@pytest.mark.parametrize("seed", range(5))
def test_a_killed_writer_loses_nothing(tmp_path: Path, seed: int) -> None:
    """SIGKILL at some instant: every line that was known to be written is read, none of them twice."""
    process = subprocess.Popen([sys.executable, "-c", KILLED, str(tmp_path)], stdout=subprocess.PIPE)
    assert process.stdout is not None
    reader, read = Reader(tmp_path), []
    process.stdout.readline()
    for _ in range(seed):
        read += lines(reader)
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    acknowledged = 1 + process.stdout.read().count(b"\n")
    process.wait()
    read += lines(reader)
    assert read[:acknowledged] == [b"%d" % number for number in range(acknowledged)]
    assert len(read) <= acknowledged + 1
    assert left(tmp_path) == []


@pytest.fixture
def small_files() -> Iterator["Limit"]:
    """A way to let no file grow beyond some bytes, as a full disk does."""
    limit = Limit()
    yield limit
    limit.lift()


class Limit:
    """The largest file that this process may write."""

    before = resource.getrlimit(resource.RLIMIT_FSIZE)

    def set(self, size: int) -> None:
        """Files end at `size` bytes: a write is cut there, the next one fails."""
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, self.before[1]))

    def lift(self) -> None:
        """As before."""
        resource.setrlimit(resource.RLIMIT_FSIZE, self.before)


@pytest.mark.parametrize("room", [0, 1, 10, len(LINE) - 1])
def test_a_line_that_does_not_fit_leaves_nothing(tmp_path: Path, small_files: Limit, room: int) -> None:
    """Whether it is cut or refused: an error, nothing of it in the file, and the next line is whole."""
    writer, reader = Writer(tmp_path, "a"), Reader(tmp_path)
    writer.append(LINE)
    small_files.set(len(LINE) + room)
    with pytest.raises(Full):
        writer.append(b"x" * (len(LINE) - 1) + b"\n")
    assert writer.problem()
    assert (tmp_path / "a-00000000.spool").read_bytes() == LINE
    small_files.lift()
    assert writer.problem() == ""
    assert (tmp_path / "a-00000000.spool").read_bytes() == LINE
    writer.append(LINE)
    assert lines(reader) == [LINE[:-1]] * 2


def test_a_full_disk_is_given_back_what_was_shipped(tmp_path: Path, small_files: Limit) -> None:
    """A file that cannot grow is left, however small: its reader removes it, and the next line is in another."""
    writer, reader = Writer(tmp_path, "a"), Reader(tmp_path)
    writer.append(LINE)
    small_files.set(2 * len(LINE) - 1)
    for _ in range(3):
        with pytest.raises(Full):
            writer.append(2 * LINE)
    assert lines(reader) == [LINE[:-1]]
    assert "a-00000000.spool" not in left(tmp_path)
    assert len(left(tmp_path)) <= 1
    writer.append(LINE)
    assert lines(reader) == [LINE[:-1]]


def test_a_reader_never_sees_what_was_taken_back(tmp_path: Path, small_files: Limit) -> None:
    """It reads while half a line is there, then the half goes and another line comes."""
    writer, reader = Writer(tmp_path, "a"), Reader(tmp_path)
    path = tmp_path / "a-00000000.spool"
    writer.append(LINE)
    with path.open("ab") as file:
        file.write(b'{"half"')
    assert lines(reader) == [LINE[:-1]]
    os.truncate(path, len(LINE))
    writer.append(b"{}\n")
    assert lines(reader) == [b"{}"]


def test_too_much_that_waits_is_refused_until_it_is_shipped(tmp_path: Path) -> None:
    """The folder is bounded over all processes; when a reader has taken something there is room again."""
    writer = Writer(tmp_path, "a", segment=len(LINE), limit=3 * len(LINE))
    for _ in range(3):
        writer.append(LINE)
    with pytest.raises(Full, match="waiting to be shipped"):
        writer.append(LINE)
    assert "waiting to be shipped" in writer.problem()
    assert Writer(tmp_path, "b", limit=3 * len(LINE)).problem()
    assert len(lines(Reader(tmp_path))) == 3
    assert writer.problem() == ""
    writer.append(LINE)


def test_a_folder_that_is_not_there_is_a_problem_while_it_is_not(tmp_path: Path) -> None:
    """A wrong path shows at the start, not at the first prediction; when the folder comes, all is well."""
    writer = Writer(tmp_path / "later", "a")
    assert "No such file" in writer.problem()
    with pytest.raises(Full, match="No such file"):
        writer.append(LINE)
    (tmp_path / "later").mkdir()
    assert writer.problem() == ""
    writer.append(LINE)
    assert lines(Reader(tmp_path / "later")) == [LINE[:-1]]


def test_a_file_that_a_reader_took_while_it_was_begun_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between making a file and locking it a reader may take it for one that is done with: another is begun."""
    made = os.open

    def slowly(path: Path, *rest: int) -> int:
        file = made(path, *rest)
        if str(path).endswith("-00000000.spool") and rest[0] & os.O_CREAT:
            assert lines(Reader(tmp_path)) == []
        return file

    monkeypatch.setattr(spool.os, "open", slowly)
    writer = Writer(tmp_path, "a")
    writer.append(LINE)
    assert left(tmp_path) == ["a-00000001.spool"]
    assert lines(Reader(tmp_path)) == [LINE[:-1]]


def test_a_file_that_was_removed_is_shipped_by_who_has_it_open(tmp_path: Path) -> None:
    """Somebody clears the folder: what a reader has begun is read to its end, and the writer begins another file."""
    writer, reader = Writer(tmp_path, "a"), Reader(tmp_path)
    writer.append(b"1\n")
    assert lines(reader) == [b"1"]
    writer.append(b"2\n")
    (tmp_path / "a-00000000.spool").unlink()
    time.sleep(2 * LOOK_SECONDS)
    writer.append(b"3\n")
    assert left(tmp_path) == ["a-00000001.spool"]
    assert lines(reader) == [b"2", b"3"]


def test_a_folder_that_was_removed_is_a_problem(tmp_path: Path) -> None:
    """Nothing is taken into a file that nobody can find; when the folder is back, all goes on."""
    folder = tmp_path / "spool"
    folder.mkdir()
    writer, reader = Writer(folder, "a"), Reader(folder)
    (folder / "a-00000000.spool").unlink()
    folder.rmdir()
    time.sleep(2 * LOOK_SECONDS)
    with pytest.raises(Full, match="No such file"):
        writer.append(LINE)
    with pytest.raises(Broken, match="spool cannot be read: No such file"):
        lines(reader)
    folder.mkdir()
    writer.append(LINE)
    assert lines(reader) == [LINE[:-1]]


def test_two_readers_keep_nothing_of_what_one_has_finished(tmp_path: Path) -> None:
    """An open file that is removed still takes the disk's room."""
    before = len(left(Path("/proc/self/fd")))
    writer, readers = Writer(tmp_path, "a", segment=1), [Reader(tmp_path), Reader(tmp_path)]
    for _ in range(20):
        writer.append(LINE)
        for reader in readers:
            lines(reader)
    writer.close()
    for reader in [*readers, *readers]:
        lines(reader)
    assert left(tmp_path) == []
    assert len(left(Path("/proc/self/fd"))) == before


def _folder(path: Path) -> None:
    path.mkdir()


def _pipe(path: Path) -> None:
    os.mkfifo(path)


def _link(path: Path) -> None:
    other = path.with_name("precious")
    other.write_bytes(LINE)
    path.symlink_to(other)


@pytest.mark.parametrize("strange", [_folder, _pipe, _link])
def test_what_is_no_spool_file_holds_nothing_up(tmp_path: Path, strange: Callable[[Path], None]) -> None:
    """It is told after all else was read, is never waited for, and stays as it is; without it all is well again."""
    strange(tmp_path / "0.spool")
    writer, reader = Writer(tmp_path, "a"), Reader(tmp_path)
    writer.append(LINE)
    batches = reader.batches()
    assert next(batches) == [LINE[:-1]]
    with pytest.raises(Broken, match=r"0\.spool cannot be read"):
        next(batches)
    (tmp_path / "0.spool").rename(tmp_path / "elsewhere")
    assert lines(reader) == []
