"""`slipway judge serve`: the service that says whether a canary goes on."""

import contextlib
import socket
from pathlib import Path
from typing import Annotated

import typer

from slipway.commands import console, deciding
from slipway.commands.options import database
from slipway.errors import Broken


def serve(
    policy: Annotated[Path, typer.Option("--policy", help="What canaries are held to.")] = deciding.SETTINGS,
    *,
    kubernetes: Annotated[bool, typer.Option("--kubernetes", help="Facts come from the cluster's API.")] = False,
    prometheus: Annotated[str | None, typer.Option("--prometheus", help="Counters come from this address.")] = None,
    rehearsal: Annotated[
        Path | None, typer.Option("--rehearsal", help="Facts and counters come from this folder instead.")
    ] = None,
    ledger: Annotated[
        str | None,
        typer.Option("--ledger", help="Truth comes from this database, or a file that names it."),
    ] = None,
    host: Annotated[str, typer.Option("--host", help="Where to listen; in a pod, 0.0.0.0.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="The port there; 0 takes a free one.")] = 8080,
) -> None:
    """Answer the analysis of a rollout: the Prometheus query API, with a verdict in it.

    It only reads, keeps nothing, and may run twice. People find the same answer with its reasons at /verdict, how it
    came about at /trace, what traffic needs at /plan, and the judge's own metrics at /metrics.

    Examples:
    ```sh
    slipway judge serve --kubernetes --prometheus http://prometheus.monitoring:9090 --ledger /etc/slipway/ledger-url
    slipway judge serve --rehearsal build/rehearsal --ledger sqlite:///build/rehearsal/ledger.db
    ```
    """
    import uvicorn

    from slipway.adapters.ledger import Ledger
    from slipway.services.judge import Facts, Judge, Samples
    from slipway.services.judge.http import application
    from slipway.services.judge.truths import FromLedger

    rules = deciding.read(policy)
    facts: Facts
    samples: Samples
    if rehearsal is not None and not kubernetes and prometheus is None:
        from slipway.adapters.rehearsal import Rehearsal

        facts = samples = Rehearsal(rehearsal)
    elif rehearsal is None and kubernetes and prometheus is not None:
        from slipway.adapters.kubernetes import Cluster
        from slipway.adapters.prometheus import Prometheus

        facts, samples = Cluster(), Prometheus(prometheus, rules.selectors)
    else:
        raise Broken("the judge was not told where to look", "Name --kubernetes and --prometheus URL, or --rehearsal.")
    address = database(ledger) if ledger else None
    truths = FromLedger(lambda: Ledger(address, read_only=True)) if address else None
    app = application(Judge(rules.policy, facts, samples, truths))
    try:
        listening = socket.create_server((host, port))
    except OSError as error:
        raise Broken(f"nothing can listen at {host}:{port}: {error.strerror}", "Name another --port.") from None
    console.print(f"judging at http://{host}:{listening.getsockname()[1]}")
    with contextlib.suppress(KeyboardInterrupt):
        uvicorn.Server(uvicorn.Config(app, log_level="warning", access_log=False)).run(sockets=[listening])
