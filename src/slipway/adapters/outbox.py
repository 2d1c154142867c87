"""What the relay must not forget: a SQLite file, written through to the disk before anybody is told that it is.

`hints` are rollouts that a webhook named, `actions` what is to be done, `words` the judge's last ones, `reports` what
people were told.
"""

import sqlite3
import threading
from pathlib import Path

import msgspec

from slipway.errors import Broken

VERSION = 1  # of the tables, and of the actions in them
ANOTHER = "Name another file with --state: what main does not show yet is found again where it can be seen."
SCHEMA = f"""
PRAGMA user_version = {VERSION};
CREATE TABLE IF NOT EXISTS hints (namespace TEXT, rollout TEXT, tries INT, PRIMARY KEY (namespace, rollout));
CREATE TABLE IF NOT EXISTS actions (
    number INTEGER PRIMARY KEY AUTOINCREMENT, key TEXT UNIQUE, environment TEXT, action TEXT,
    tries INT DEFAULT 0, next REAL DEFAULT 0, result TEXT DEFAULT '', at TEXT DEFAULT '', said TEXT DEFAULT '');
CREATE TABLE IF NOT EXISTS words (
    namespace TEXT, rollout TEXT, image TEXT, evidence TEXT, PRIMARY KEY (namespace, rollout));
CREATE TABLE IF NOT EXISTS reports (environment TEXT PRIMARY KEY, key TEXT, since REAL, told INT DEFAULT 0);
"""


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """An action as it is kept; `action` is its JSON text."""

    number: int
    key: str
    environment: str
    action: str
    tries: int
    next: float  # not to be tried before
    result: str  # of the last try
    at: str  # the commit of main that it saw
    said: str


class Outbox:
    """The file; may be used from several threads.

    Raises:
        Broken: it cannot be opened, or holds something else.

    """

    def __init__(self, path: Path) -> None:
        self._path, self._lock = path, threading.Lock()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=5)
            found = self._connection.execute("PRAGMA user_version").fetchone()[0]
            if found not in (0, VERSION):
                raise Broken(f"{path} is of another version of Slipway: {found}, not {VERSION}", ANOTHER)
            self._connection.execute("PRAGMA journal_mode=WAL")
            self._connection.execute("PRAGMA synchronous=FULL")
            self._connection.executescript(SCHEMA)
        except (sqlite3.Error, OSError) as error:
            raise Broken(f"{path} cannot be the relay's memory: {error}", ANOTHER) from None

    def hint(self, namespace: str, rollout: str) -> None:
        """Note that a rollout is to be looked at; the same one twice is one."""
        self._write(
            "INSERT INTO hints VALUES (?, ?, 0) ON CONFLICT DO UPDATE SET tries = 0",
            (namespace, rollout),
        )

    def hints(self) -> dict[tuple[str, str], int]:
        """Rollouts to look at, and how often each was looked at since."""
        return {(row[0], row[1]): row[2] for row in self._read("SELECT namespace, rollout, tries FROM hints")}

    def looked(self, namespace: str, rollout: str, tries: int, most: int) -> None:
        """Note a look that has not found what the hint is about; after `most` it is let go.

        `tries` is what `hints` said: where a webhook has come since, it counts anew.
        """
        name = (namespace, rollout, tries)
        self._write("UPDATE hints SET tries = tries + 1 WHERE namespace = ? AND rollout = ? AND tries = ?", name)
        self._write("DELETE FROM hints WHERE namespace = ? AND rollout = ? AND tries >= ?", (namespace, rollout, most))

    def add(self, key: str, environment: str, action: str) -> bool:
        """Keep an action; False where it is kept already."""
        sql = "INSERT INTO actions (key, environment, action) VALUES (?, ?, ?) ON CONFLICT DO NOTHING"
        return self._write(sql, (key, environment, action)) == 1

    def actions(self) -> list[Kept]:
        """All actions, the oldest first."""
        columns = ", ".join(Kept.__struct_fields__)
        return [Kept(**dict(row)) for row in self._read(f"SELECT {columns} FROM actions ORDER BY number")]  # noqa: S608

    def tries(self, number: int, result: str, at: str) -> None:
        """Note before a try what it is to be taken for if nobody lives to see its end."""
        sql = "UPDATE actions SET tries = tries + 1, result = ?, at = ?, said = 'begun' WHERE number = ?"
        self._write(sql, (result, at, number))

    def tried(self, number: int, result: str, said: str, following: float) -> None:
        """Note what became of a try, and when the next one may be."""
        sql = "UPDATE actions SET result = ?, said = ?, next = ? WHERE number = ?"
        self._write(sql, (result, said, following, number))

    def done(self, number: int) -> None:
        """Forget an action: main shows its outcome, or it has none any more."""
        self._write("DELETE FROM actions WHERE number = ?", (number,))

    def remember(self, namespace: str, rollout: str, image: str, evidence: str) -> None:
        """Keep the judge's last word about a rollout's canary."""
        self._write("INSERT OR REPLACE INTO words VALUES (?, ?, ?, ?)", (namespace, rollout, image, evidence))

    def word(self, namespace: str, rollout: str, image: str) -> str | None:
        """The judge's last word about the canary of an image."""
        sql = "SELECT evidence FROM words WHERE namespace = ? AND rollout = ? AND image = ?"
        found = self._read(sql, (namespace, rollout, image))
        return str(found[0][0]) if found else None

    def report(self, environment: str, key: str | None, now: float, after: float) -> bool:
        """Whether people are to be told now: once, when it has lasted for `after` seconds. None: all is well there."""
        self._write("DELETE FROM reports WHERE environment = ? AND key IS NOT ?", (environment, key))
        if key is None:
            return False
        self._write(
            "INSERT INTO reports (environment, key, since) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
            (environment, key, now),
        )
        sql = "UPDATE reports SET told = 1 WHERE environment = ? AND told = 0 AND since <= ?"
        return self._write(sql, (environment, now - after)) == 1

    def told(self, environment: str) -> bool:
        """Whether people were told of what stands in an environment now."""
        return bool(self._read("SELECT 1 FROM reports WHERE environment = ? AND told = 1", (environment,)))

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._connection.close()

    def _write(self, sql: str, values: tuple[object, ...]) -> int:
        try:
            with self._lock:
                return self._connection.execute(sql, values).rowcount
        except sqlite3.Error as error:
            raise Broken(f"{self._path} cannot be written: {error}", "Look at the disk and the rights there.") from None

    def _read(self, sql: str, values: tuple[object, ...] = ()) -> list[sqlite3.Row]:
        try:
            with self._lock:
                cursor = self._connection.execute(sql, values)
                cursor.row_factory = sqlite3.Row
                return cursor.fetchall()
        except sqlite3.Error as error:
            raise Broken(f"{self._path} cannot be read: {error}", "Look at the disk and the rights there.") from None
