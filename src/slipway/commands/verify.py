"""`slipway verify`: is a release what the workflow of the policy has signed, and of what was it made."""

from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.markup import escape

from slipway.adapters.git import Repository
from slipway.commands import Json, Root, agreed, emit, verifying
from slipway.commands.verifying import Verified
from slipway.errors import Rejected
from slipway.signing import Run


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """Who has signed a release, what, when, and by whose root that is known."""

    schema_version: int = 1
    version: str
    subjects: dict[str, str]
    signer: Run
    log_index: int
    at: str
    root: str


def verify(
    version: Annotated[str | None, typer.Argument(help="A release; by default what is at hand in build/.")] = None,
    root: Root = Path(),
    *,
    as_json: Json = False,
) -> None:
    """Verify that a release is what the workflow of `signing/policy.yaml` has signed, as main has that file.

    Signature, certificate, log entry and time must be in order, every fact of the certificate as the policy asks, the
    statement as the certificate says, and the digests those of the release. Any doubt is a refusal, exit code 1.

    Examples:
    ```sh
    slipway verify
    slipway verify 1.0.0 --json
    ```
    """
    repository = Repository(root.resolve())
    if version is None:
        verified = verifying.built(repository)
    else:
        known = agreed.newest(repository).state().releases
        if version not in known:
            raise Rejected(f"main has no release {version}", f"It has {', '.join(known) or 'none'}.")
        verified = verifying.released(repository, known[version])
    found = report(verified)
    emit(found, lines(found, "verified"), as_json=as_json)


def report(verified: Verified) -> Report:
    """What is told of a verified release."""
    return Report(
        version=verified.package.bundle.version,
        subjects={one.name or "": f"sha256:{one.digest['sha256']}" for one in verified.statement.subject},
        signer=verified.signed.run,
        log_index=verified.signed.log_index,
        at=verified.signed.at,
        root=verified.root,
    )


def lines(found: Report, done: str) -> str:
    """The same for a person."""
    facts = {
        **found.subjects,
        "signer": found.signer.signer,
        "commit": found.signer.commit,
        "trigger": f"{found.signer.trigger}, on a {found.signer.runner} runner",
        "run": found.signer.invocation,
        "log": f"entry {found.log_index}, {found.at}",
        "root": found.root,
    }
    return "\n".join(
        (f"[green]{done}[/] {found.version}", *(f"  {name:<14}{escape(value)}" for name, value in facts.items()))
    )
