"""`slipway outcome`: what the relay asks a workflow for, run by the verb that decides on main."""

import subprocess
import sys
from pathlib import Path
from typing import Annotated, Any, get_args

import typer

from slipway.adapters.git import Repository
from slipway.commands import Json, Root, agreed, options
from slipway.errors import Rejected
from slipway.manifests import tree
from slipway.records import Cause
from slipway.rollout.relay import Action

VERBS = ("promote", "revert", "carry")
DIRECT, PULL_REQUEST = WAYS = ("direct", "pull-request")


def _given(name: str, about: str, *allowed: str) -> Any:  # noqa: ANN401  # as typer.Option
    """An input of outcome.yml, which comes by the environment: what others wrote is never part of a command line."""
    return typer.Option(
        f"--{name}",
        envvar=f"OUTCOME_{name.upper()}",
        callback=(lambda value: options.among(value, allowed)) if allowed else None,
        help=about,
    )


def outcome(
    *,
    verb: Annotated[str, _given("verb", f"One of {', '.join(VERBS)}.", *VERBS)],
    version: Annotated[str, _given("version", "Of the release.")],
    digest: Annotated[str, _given("digest", "Of its image, sha256:...")],
    environment: Annotated[str, _given("environment", f"One of {', '.join(tree.ENVIRONMENTS)}.", *tree.ENVIRONMENTS)],
    cause: Annotated[str, _given("cause", "Why it ended; empty for carry.", "", *get_args(Cause))] = "",
    evidence: Annotated[str, _given("evidence", "What the judge saw last, JSON; or empty.")] = "",
    why: Annotated[str, _given("why", "In words, or empty.")] = "",
    carry: Annotated[str, _given("carry", f"How a release is carried on: {' or '.join(WAYS)}.", *WAYS)] = DIRECT,
    by: Annotated[str, _given("by", "Who asks; empty outside of a workflow.")] = "",
    relay: Annotated[str, _given("relay", "Who may, in a workflow: the relay.")] = "",
    root: Root = Path(),
    as_json: Json = False,
) -> None:
    """Write an outcome that the relay has seen: promote, revert or carry, by the verb that its own --mode git runs.

    What is asked for is not believed: an image that main does not know as that version is refused, and what may become
    of it the verb decides on main. How a canary ended only the relay can know: whoever else may start workflows is
    refused. Asked again, it does nothing.

    Examples:
    ```sh
    slipway outcome --verb promote --version 1.4.0 --digest sha256:0d5e... --environment staging --cause verdict
    ```
    """
    from slipway.services.relay import acting

    if by and by != relay:
        who = f"only {relay} may" if relay else "the variable RELAY of the repository names nobody"
        raise Rejected(f"{by} asks for an outcome, and {who}", "A person says it at home: `slipway promote`, `revert`.")
    repository = Repository(root.resolve())
    repository.fetch()
    release = agreed.newest(repository).state().releases.get(version)
    if release is None or release.package.image_digest != digest:
        raise Rejected(f"main knows no release {version} with the image {digest}", "`slipway history` names those.")
    asked = Action(
        verb=verb,  # type: ignore[arg-type]  # one of VERBS
        environment=environment,
        version=version,
        image=digest,
        cause=cause or None,  # type: ignore[arg-type]  # one of those allowed
        evidence=options.decoded(evidence or None),
        why=why,
    )
    words = [*acting.arguments(asked), "--root", str(repository.root), *(["--json"] if as_json else [])]
    if verb == "carry" and carry == PULL_REQUEST:
        words.append("--propose")
    code = subprocess.run([sys.executable, "-m", "slipway", *words], check=False).returncode
    if code:
        raise typer.Exit(code)
