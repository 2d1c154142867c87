"""`slipway relay serve`: the service that has Git know what became of a canary."""

import contextlib
import logging
import os
import socket
import time
from functools import partial
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from slipway.adapters import files
from slipway.adapters.git import Repository
from slipway.adapters.github import API
from slipway.commands import BUILD, Root, console
from slipway.errors import Broken

if TYPE_CHECKING:
    from slipway.services.relay import Asks, Sight
    from slipway.services.relay.acting import Acting

Mode = Literal["git", "github"]
GRACE = 3  # seconds for requests that are there at the end: one that never ends holds nothing up


def serve(
    token_file: Annotated[Path, typer.Option("--token-file", help="Holds the token that a webhook must bear.")],
    mode: Annotated[
        Mode, typer.Option("--mode", help="git: run the verbs here. github: have outcome.yml run them.")
    ] = "git",
    root: Root = Path(),
    *,
    kubernetes: Annotated[bool, typer.Option("--kubernetes", help="Rollouts are seen in the cluster.")] = False,
    rehearsal: Annotated[
        Path | None, typer.Option("--rehearsal", help="Rollouts are seen in this folder instead; it may come later.")
    ] = None,
    judge: Annotated[
        str | None,
        typer.Option(
            "--judge", help="The judge's address: its last words go into the outcome. A rehearsal keeps them."
        ),
    ] = None,
    state: Annotated[Path, typer.Option("--state", help="What it must not forget: a SQLite file.")] = BUILD
    / "relay.db",
    poll: Annotated[
        float, typer.Option("--poll", min=0.1, max=3600.0, help="Seconds between two looks without a webhook.")
    ] = 15.0,
    github_repository: Annotated[
        str | None, typer.Option("--github-repository", help="OWNER/NAME, with --mode github.")
    ] = None,
    github_token_file: Annotated[
        Path | None, typer.Option("--github-token-file", help="Holds a token that may run its workflows.")
    ] = None,
    github_api: Annotated[str, typer.Option("--github-api", help="Its API; GitHub Enterprise has its own.")] = API,
    host: Annotated[str, typer.Option("--host", help="Where to listen; in a pod, 0.0.0.0.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="The port there; 0 takes a free one.")] = 8081,
) -> None:
    """Write to Git what became of each canary: promote, revert, or release to the next environment.

    It hears the Rollouts controller's webhook at /rollouts and looks by itself, compares with origin/main, and has the
    verbs run until main shows the outcome. What was decided survives a restart. The checkout, or bare clone, is only
    fetched, and is where the verbs run. Where only a person can help it says so once, in its log and to the services of
    $SLIPWAY_NOTIFY. Its metrics are at /metrics.

    Examples:
    ```sh
    slipway relay serve --token-file build/relay-token --rehearsal build/rehearsal --judge http://127.0.0.1:8080
    slipway relay serve --token-file /etc/slipway/relay-token --kubernetes --state /var/lib/slipway/relay.db
    slipway relay serve --token-file t --kubernetes --mode github --github-repository OWNER/NAME --github-token-file g
    ```
    """
    import uvicorn

    from slipway.adapters import notify
    from slipway.adapters.github import Workflow
    from slipway.adapters.outbox import Outbox
    from slipway.services.relay import Relay
    from slipway.services.relay.acting import Dispatch, Verbs
    from slipway.services.relay.http import application
    from slipway.services.relay.judging import Judge
    from slipway.services.relay.meters import Meters
    from slipway.services.relay.reading import Main

    sight = _sight(rehearsal, kubernetes=kubernetes)
    acting: Acting = Verbs(root.resolve())
    if mode == "github":
        if github_repository is None or github_token_file is None:
            raise Broken("the relay was not told which repository", "Name --github-repository and --github-token-file.")
        _token(github_token_file)
        acting = Dispatch(Workflow(github_api, github_repository, lambda: _token(github_token_file)))
    _token(token_file)
    Repository(root).git("rev-parse", "--git-dir")
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    outbox, meters = Outbox(state), Meters()
    main, asked = Main(root.resolve()), Judge(judge) if judge else _word(rehearsal)
    tell = partial(notify.send, notify.configured(os.environ.get(notify.VARIABLE)))
    relay = Relay(outbox, main, sight, acting, asked, tell=tell, meters=meters, clock=time.time, poll=poll)
    app = application(outbox, lambda: _token(token_file), relay.wake.set, meters)
    try:
        listening = socket.create_server((host, port))
    except OSError as error:
        raise Broken(f"nothing can listen at {host}:{port}: {error.strerror}", "Name another --port.") from None
    console.print(f"relaying at http://{host}:{listening.getsockname()[1]}")
    turning = Thread(target=relay.run, name="relay")
    turning.start()
    try:
        with contextlib.suppress(KeyboardInterrupt):
            settings = uvicorn.Config(app, log_level="warning", access_log=False, timeout_graceful_shutdown=GRACE)
            uvicorn.Server(settings).run(sockets=[listening])
    finally:
        relay.stop()
        turning.join()
        outbox.close()


def _sight(rehearsal: Path | None, *, kubernetes: bool) -> "Sight":
    if rehearsal is not None and not kubernetes:
        from slipway.adapters.seen import Folder

        return Folder(rehearsal)
    if kubernetes and rehearsal is None:
        from slipway.adapters.kubernetes import Cluster

        return Cluster()
    raise Broken("the relay was not told where rollouts are", "Name --kubernetes, or --rehearsal FOLDER.")


def _word(rehearsal: Path | None) -> "Asks | None":
    """A rehearsal's judge ends with it; its folder keeps what it has said last."""
    from slipway.adapters.seen import Folder

    return Folder(rehearsal) if rehearsal else None


def _token(path: Path) -> str:
    token = files.read_bytes(path).decode(errors="replace").strip()
    if not token:
        raise Broken(f"{path} holds no token", "Write one into it: openssl rand -hex 32")
    return token
