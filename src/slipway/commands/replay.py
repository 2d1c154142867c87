"""`slipway replay`: flights of the past as requests to a router, with their truth afterwards, until told to end."""

import time
from dataclasses import replace
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import typer

from slipway.adapters import files
from slipway.adapters.traffic import Replay
from slipway.canary.units import duration
from slipway.commands import Json, emit, progress
from slipway.commands.rehearse import WINDOW, window
from slipway.errors import Broken
from slipway.rollout.records import Replayed

TOLD = 30.0  # seconds between two lines
NONE = "none"  # in place of a status: nobody answered


def _address(text: str) -> str:
    """See that an address is http://HOST[:PORT]."""
    try:
        parts = urlsplit(text)
        named = parts.scheme == "http" and parts.hostname and text.endswith(parts.netloc)
        fine = named and (parts.port or 80) and "@" not in text  # a name and a password would not be sent
    except ValueError:
        fine = False
    if not fine:
        raise typer.BadParameter("it must be http://HOST or http://HOST:PORT")  # not shown: it may hold a password
    return text


def replay(
    *,
    to: Annotated[str, typer.Option("--to", callback=_address, help="http://HOST[:PORT] of a router, or a service.")],
    host: Annotated[str | None, typer.Option("--host", help="The name to ask it for; by default its own.")] = None,
    rate: Annotated[float, typer.Option("--rate", min=0.01, max=10_000, help="Requests a second.")],
    seconds: Annotated[
        float | None, typer.Option("--seconds", min=0.01, help="Until it ends; by default when it is told to.")
    ] = None,
    data: Annotated[Path, typer.Option("--data", help="Flights to send, a folder like replay/.")] = Path("replay"),
    first: Annotated[str | None, typer.Option("--first", help=WINDOW.format("first"))] = None,
    last: Annotated[str | None, typer.Option("--last", help=WINDOW.format("last"))] = None,
    truth_after: Annotated[
        float, typer.Option("--truth-after", min=0, help="Seconds from an answer to its truth.")
    ] = 2,
    credential_file: Annotated[
        Path | None, typer.Option("--credential-file", help="What /feedback asks for; without it no truth is told.")
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="Of the order of requests.")] = 0,
    as_json: Json = False,
) -> None:
    """Send flights of the past to one address, and what became of them, so that a canary there has traffic with truth.

    The router splits them. Refusals are counted and no reason to end. Exit code 0: ended by --seconds, Ctrl-C or
    SIGTERM; 2: nobody has ever answered.

    Examples:
    ```sh
    slipway replay --to http://127.0.0.1:3000 --rate 20 --seconds 60
    slipway replay --to http://10.0.0.2 --host flights.staging.example.com --rate 20 --credential-file credentials
    ```
    """
    flights, credential = window(data, first, last), ""
    if credential_file:
        credential = files.read_bytes(credential_file).decode().partition("\n")[0].strip()  # below are others
    else:
        flights = [replace(flight, late=None) for flight in flights]
    begun = time.monotonic()
    end = begun + (float("inf") if seconds is None else seconds)
    sent = Replay(flights, to, host=host, rate=rate, seed=seed, credential=credential, truth_delay=truth_after)

    def seen() -> Replayed:
        return Replayed(
            to=to,
            host=host,
            seconds=time.monotonic() - begun,
            traffic=sent.tally.told(),
            statuses={str(status or NONE): count for status, count in sent.statuses.items()},
            truths=sent.told,
            seed=seed,
        )

    try:
        with sent:
            while (left := end - time.monotonic()) > 0:
                time.sleep(min(TOLD, left))
                if left > TOLD:
                    progress.print(_told(seen()), soft_wrap=True)
    except KeyboardInterrupt:  # SIGTERM as well: that is how it ends
        pass
    result = seen()
    if not result.statuses.keys() - {NONE}:
        raise Broken(
            f"nobody has answered at {to}, in {result.traffic.requests} requests", "Is it up, and is it there?"
        )
    emit(result, _told(result), as_json=as_json)


def _told(seen: Replayed) -> str:
    failed = {status: count for status, count in sorted(seen.statuses.items()) if status[0] not in "23"}
    listed = f" ({', '.join(f'{status}: {count:,}' for status, count in failed.items())})" if failed else ""
    p95 = f", p95 {1000 * seen.traffic.p95:.0f} ms" if seen.traffic.p95 is not None else ""
    return (
        f"{seen.traffic.requests:,} requests in {duration(seen.seconds)}, {seen.traffic.errors:,} failed{listed}{p95},"
        f" {seen.truths:,} truths taken"
    )
