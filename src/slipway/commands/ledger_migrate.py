"""`slipway ledger migrate`: the tables of a ledger, before anything reads it."""

from typing import Annotated

import typer

from slipway.commands import Json, emit
from slipway.commands.options import database
from slipway.records import LedgerTables


def migrate(
    ledger: Annotated[str, typer.Option("--ledger", help="The database, or a file that names it.")],
    *,
    as_json: Json = False,
) -> None:
    """Make the ledger's tables in an empty database; where they are there already, do nothing.

    A database that holds something else, or tables of another schema, is left as it is, and refused.

    Examples:
    ```sh
    slipway ledger migrate --ledger /etc/slipway/ledger/url
    slipway ledger migrate --ledger sqlite:///build/ledger.db
    ```
    """
    from slipway.adapters.ledger import Ledger, schema

    opened = Ledger(database(ledger))
    opened.close()
    found = LedgerTables(ledger=opened.name, schema=schema.VERSION, made=opened.made)
    told = "made the tables" if opened.made else "the tables are there already"
    emit(found, f"{opened.name}: {told}, schema {schema.VERSION}", as_json=as_json)
