"""Where predictions and their truth are kept: told by the environment, with secrets in files. All of it, or nothing.

SLIPWAY_LEDGER       a folder with the files below, as a Secret is mounted
  url                the database, as SQLAlchemy writes it
  keys               that sign ids, one on a line: the first signs, a second is accepted while keys are changed
  credentials        that /feedback asks for, one on a line: either is accepted while they are changed
SLIPWAY_SPOOL        a folder on this machine, where predictions wait until they are in the database
SLIPWAY_ENVIRONMENT  what this is: staging, production
SLIPWAY_POD          pod-template hash, by which the judge tells stable from canary

With none of the four the service predicts and remembers nothing (`truth: none`). With some it is not ready.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from slipway.errors import Broken

VARIABLES = ("SLIPWAY_LEDGER", "SLIPWAY_SPOOL", "SLIPWAY_ENVIRONMENT", "SLIPWAY_POD")
LEAST = 32  # characters of a key or a credential
MOST = 64  # bytes that a keyed BLAKE2b takes


@dataclass(frozen=True)
class Settings:
    """What the environment says. No secret shows when it is printed."""

    url: str = field(repr=False)
    keys: tuple[bytes, ...] = field(repr=False)  # the first signs
    credentials: tuple[bytes, ...] = field(repr=False)
    spool: Path
    environment: str
    pod: str


def read(variables: Mapping[str, str] = os.environ) -> Settings | None:
    """Read the settings; None if there are none.

    Raises:
        Broken: there are some, but not all, or a file does not hold what it should. No secret is in the message.

    """
    given = [name for name in VARIABLES if variables.get(name)]
    if not given:
        return None
    if missing := sorted(set(VARIABLES) - set(given)):
        raise Broken(
            f"{', '.join(given)} is set without {', '.join(missing)}",
            "Set all four to keep predictions and their truth, or none.",
        )
    secrets, spool, environment, pod = (variables[name] for name in VARIABLES)
    return Settings(
        url=_lines(Path(secrets), "url", most=1)[0],
        keys=tuple(line.encode() for line in _secrets(Path(secrets), "keys")),
        credentials=tuple(line.encode() for line in _secrets(Path(secrets), "credentials")),
        spool=Path(spool),
        environment=environment,
        pod=pod,
    )


def shipping(variables: Mapping[str, str] = os.environ) -> tuple[str, Path]:
    """Read what the shipper needs: the address of the ledger, and the spool. It signs nothing and asks nobody in.

    Raises:
        Broken: there is none, or not all of it.

    """
    secrets, spool = variables.get("SLIPWAY_LEDGER"), variables.get("SLIPWAY_SPOOL")
    if not secrets or not spool:
        raise Broken("there is no ledger to ship to", "Set SLIPWAY_LEDGER and SLIPWAY_SPOOL.")
    return _lines(Path(secrets), "url", most=1)[0], Path(spool)


def _secrets(folder: Path, name: str) -> list[str]:
    lines = _lines(folder, name, most=2)
    if any(not LEAST <= len(line.encode()) <= MOST for line in lines):
        raise Broken(f"a line of {name} is not {LEAST} to {MOST} bytes long", "Make one: openssl rand -hex 32.")
    return lines


def _lines(folder: Path, name: str, most: int) -> list[str]:
    try:
        lines = (folder / name).read_text(encoding="utf-8").split()
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is no text"
        raise Broken(f"{name} in SLIPWAY_LEDGER cannot be read: {why}", "Mount the Secret whole.") from error
    if not 1 <= len(lines) <= most:
        raise Broken(f"{name} in SLIPWAY_LEDGER has {len(lines)} lines, not 1 to {most}", "Write one on each line.")
    return lines
