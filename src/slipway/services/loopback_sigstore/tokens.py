"""GitHub's ID tokens: what a workflow's token claims, issued and checked."""

import time
from collections.abc import Mapping

import jwt

from slipway.errors import Rejected
from slipway.services.loopback_sigstore.keys import Key

ISSUER = "https://token.actions.githubusercontent.com"  # a claim and no address: nothing here calls it
AUDIENCE = "sigstore"
SECONDS = 300
REMEDY = "Ask the token endpoint of this instance."
DEFAULTS = {
    "iss": ISSUER,
    "repository": "example/slipway",
    "repository_id": "1",
    "repository_owner_id": "2",
    "repository_visibility": "public",
    "ref": "refs/heads/main",
    "sha": "0" * 40,
    "workflow": "release",
    "event_name": "push",
    "run_id": "1",
    "run_attempt": "1",
    "runner_environment": "github-hosted",
}


def claims(asked: Mapping[str, str]) -> dict[str, str]:
    """Say what a workflow's token claims; whatever is asked for wins, and the rest follows from it.

    Raises:
        Rejected: GitHub's tokens have no such claim.

    """
    given = {**DEFAULTS, **asked}
    workflow = given.get("workflow_ref", f"{given['repository']}/.github/workflows/release.yml@{given['ref']}")
    derived = {
        "sub": f"repo:{given['repository']}:ref:{given['ref']}",
        "repository_owner": given["repository"].split("/")[0],
        "workflow_ref": workflow,
        "job_workflow_ref": workflow,  # another one only in a reusable workflow
        "workflow_sha": given["sha"],
        "job_workflow_sha": given["sha"],
    }
    if unknown := asked.keys() - derived.keys() - DEFAULTS.keys():
        raise Rejected(f"a token does not claim {', '.join(sorted(unknown))}", "Name a claim of GitHub's.")
    return derived | given


def issue(asked: Mapping[str, str], audience: str, key: Key) -> str:
    """Sign a token."""
    now = int(time.time())
    times = {"iat": now, "nbf": now - 5, "exp": now + SECONDS}
    return jwt.encode({**claims(asked), **times, "aud": audience}, key, algorithm="ES256")


def check(token: str, key: Key) -> dict[str, str]:
    """Read the claims of a token that this instance issued for Sigstore.

    Raises:
        Rejected: it did not, or the token's time is over.

    """
    try:
        found = jwt.decode(token, key.public_key(), algorithms=["ES256"], audience=AUDIENCE, issuer=ISSUER)
    except jwt.PyJWTError as error:
        raise Rejected(f"the token is refused: {error}", REMEDY) from error
    return {name: value for name, value in found.items() if isinstance(value, str)}
