"""Which database a ledger is, and whether it is one: its address, its locks, its tables."""

import sqlite3
from contextlib import suppress
from pathlib import Path
from time import monotonic, sleep
from urllib.parse import quote

from sqlalchemy import URL, Connection, Engine, create_engine, event, insert, inspect, make_url, select, text
from sqlalchemy.exc import ArgumentError, DisconnectionError, SQLAlchemyError
from sqlalchemy.pool import ConnectionPoolEntry

from slipway.adapters.ledger import schema
from slipway.errors import Broken

WAIT_SECONDS = 10  # for a lock, and for a server to answer
CREATING = 0x511B  # the advisory lock of whoever makes the tables
OWN = "Give the ledger a database of its own: sqlite:////folder/ledger.db or postgresql+psycopg://user@host/name."
BEGIN = "Start the service that writes it first, or name the database that it writes."


def engine(url: str, *, read_only: bool) -> Engine:
    """Make the way to a database, SQLite's file or PostgreSQL's server, and connect to nothing yet.

    Raises:
        Broken: the address is no ledger's, or nothing may be written and the file is not there. It names no password.

    """
    try:
        address = make_url(url)
        driver = f"{address.get_backend_name()}+{address.get_driver_name()}"
    except (ArgumentError, ValueError, SQLAlchemyError):
        raise Broken("the ledger's address cannot be read", OWN) from None  # its text may hold a password
    if driver == "postgresql+psycopg" and address.host is not None and "@" in address.host:
        raise Broken("the ledger's address has an @ in its password", "Write %40 for it.")
    if driver == "postgresql+psycopg" and address.database:
        return create_engine(
            address,
            hide_parameters=True,
            pool_pre_ping=True,
            # A server that has gone is noticed, not waited for.
            connect_args={
                "connect_timeout": WAIT_SECONDS,
                "tcp_user_timeout": WAIT_SECONDS * 1000,
                "keepalives_idle": 10,
            },
            execution_options={"postgresql_readonly": read_only},
        )
    if driver != "sqlite+pysqlite" or address.database in (None, "", ":memory:"):
        raise Broken(f"the ledger cannot be kept in {driver} {address.database or ''}".rstrip(), OWN)
    path = Path(address.database)
    if read_only:
        if not path.exists():
            raise Broken(f"there is no ledger at {path}", BEGIN)
        address = address.set(database=f"file:{quote(address.database)}", query={"mode": "ro", "uri": "true"})
    made = create_engine(address, hide_parameters=True, connect_args={"timeout": WAIT_SECONDS})

    @event.listens_for(made, "connect")
    def prepare(connection: sqlite3.Connection, record: ConnectionPoolEntry) -> None:
        if not read_only:
            _write_ahead(connection)
            connection.execute("PRAGMA synchronous = FULL")
        record.info["file"] = _file(path)

    @event.listens_for(made, "checkout")
    def still_there(_connection: sqlite3.Connection, record: ConnectionPoolEntry, _proxy: object) -> None:
        # SQLite writes on into a file that was removed, and calls it stored.
        if record.info["file"] != _file(path):
            raise DisconnectionError

    @event.listens_for(made, "begin")
    def begin(connection: Connection) -> None:
        # A writer takes the lock at once: one that has read first could be refused without a wait.
        connection.exec_driver_sql("BEGIN" if read_only else "BEGIN IMMEDIATE")

    return made


def _file(path: Path) -> tuple[int, int] | None:
    with suppress(OSError):
        found = path.stat()
        return found.st_dev, found.st_ino
    return None


def _write_ahead(connection: sqlite3.Connection) -> None:
    """Let readers read while one writes. Several that open a new file at once collide here, without SQLite's wait."""
    end = monotonic() + WAIT_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError:
            if monotonic() > end:
                raise
            sleep(0.05)
        else:
            return


def require(connection: Connection, name: str, *, create: bool) -> bool:
    """See that the tables are there, in this version; make them where the database is empty and `create` is given.

    Returns whether they were made.

    Raises:
        Broken: they are not, or it holds something else.

    """
    if create and connection.dialect.name == "postgresql":
        connection.execute(text(f"SELECT pg_advisory_xact_lock({CREATING})"))
    names = inspect(connection).get_table_names()
    if not names and create:
        schema.METADATA.create_all(connection)
        connection.execute(insert(schema.version), {"version": schema.VERSION})
        return True
    if not names:
        raise Broken(f"the ledger ({name}) is empty", BEGIN)
    if schema.version.name not in names:
        raise Broken(f"the database ({name}) holds something else: {', '.join(sorted(names)[:3])}", OWN)
    if (found := connection.execute(select(schema.version.c.version)).scalar()) != schema.VERSION:
        raise Broken(
            f"the ledger ({name}) has schema {found}, this is slipway's {schema.VERSION}",
            "Run the slipway that wrote it, or give this one an empty database.",
        )
    return False


def shown(url: URL) -> str:
    """Name a database by what is no secret."""
    return " ".join(filter(None, (url.get_backend_name(), url.host, url.database)))
