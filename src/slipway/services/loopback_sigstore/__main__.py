"""Start the instance of a folder: `python -m slipway.services.loopback_sigstore --folder F`.

F/trust.json is its client trust config, F/environment.json the variables that a signer needs, written last and when it
listens. Who waits for it there removes an earlier process's first.
"""

import argparse
import fcntl
import json
import socket
import sys
from pathlib import Path

import uvicorn

from slipway.adapters import files
from slipway.errors import Broken, SlipwayError
from slipway.services.loopback_sigstore.http import application
from slipway.services.loopback_sigstore.instance import HERE, Instance


def main() -> None:
    """Serve until SIGTERM.

    Raises:
        Broken: another process serves the folder, or the port is taken.

    """
    parser = argparse.ArgumentParser(prog="loopback_sigstore", description=__doc__)
    parser.add_argument("--folder", type=Path, required=True, help="Where its keys and its log stay.")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--rekor", type=int, choices=(1, 2), default=2, help="Which version the clients shall use.")
    parser.add_argument("--certificate-seconds", type=int, default=600, help="How long a certificate is valid.")
    parser.add_argument("--name", help="A name of this machine by which it may be asked, besides its address.")
    given = parser.parse_args()
    folder: Path = given.folder.resolve()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:  # two would write two histories of one log
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise Broken(f"{folder} is served already", "Stop that process, or name another --folder.") from None
        serve(Instance(folder, given.rekor, given.certificate_seconds), folder, given.port, given.name)


def serve(instance: Instance, folder: Path, port: int, name: str | None) -> None:
    """Listen, say so in the folder, and answer."""
    trust, environment = folder / "trust.json", folder / "environment.json"
    environment.unlink(missing_ok=True)
    try:
        listening = socket.create_server((HERE, port))
    except OSError as error:
        raise Broken(f"nothing can listen at {HERE}:{port}: {error.strerror}", "Name another --port.") from None
    url = f"http://{HERE}:{listening.getsockname()[1]}"
    files.write_text(trust, json.dumps(instance.trust(url), indent=2) + "\n")
    files.write_text(environment, json.dumps(instance.environment(url, trust), indent=2) + "\n")
    settings = uvicorn.Config(
        application(instance, name), log_level="warning", access_log=False, timeout_graceful_shutdown=1
    )
    uvicorn.Server(settings).run(sockets=[listening])


if __name__ == "__main__":
    try:
        main()
    except SlipwayError as error:
        sys.stderr.write(f"{error.what}\n-> {error.remedy}\n")
        sys.exit(error.exit_code)
