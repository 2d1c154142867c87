"""Who may sign a release: `signing/policy.yaml`, and what a certificate says against it. Pure."""

from collections.abc import Iterator
from typing import Annotated, Any, Literal

import msgspec

from slipway.errors import Broken

PUBLIC_GOOD, OFFLINE = "public-good", "offline"  # roots that need no file
Https = Annotated[str, msgspec.Meta(pattern=r"\Ahttps://[^\s/@]+(/[^\s@]+)*\Z")]


class _Frozen(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    pass


class Policy(_Frozen, frozen=True):
    """Whose signature counts. Each line is one fact of the certificate, or of what was signed."""

    schema_version: Literal[1]
    root: str  # PUBLIC_GOOD, OFFLINE, or a client trust config in this repository
    issuer: Https  # of the identity
    repository: Https
    workflow: Annotated[str, msgspec.Meta(pattern=r"\A[^\s@:]+\.ya?ml\Z")]
    ref: Annotated[str, msgspec.Meta(pattern=r"\Arefs/\S+\Z")]
    triggers: Annotated[tuple[str, ...], msgspec.Meta(min_length=1)]
    runner: Annotated[str, msgspec.Meta(min_length=1)]
    predicate_types: Annotated[tuple[Https, ...], msgspec.Meta(min_length=1)]

    @property
    def signer(self) -> str:
        """The workflow at its ref, as a certificate names who has signed."""
        return f"{self.repository}/{self.workflow}@{self.ref}"


class Run(_Frozen, frozen=True):
    """The run of a workflow, as the platform attests it: in its token, and in the certificate made for that."""

    issuer: str
    signer: str  # REPOSITORY/PATH@REF of the workflow that signs
    workflow: str  # of the workflow that was triggered; another one where that calls a reusable one
    repository: str
    repository_id: str
    owner_id: str
    commit: str
    ref: str
    trigger: str
    runner: str
    invocation: str  # address of the run and its attempt


def parse(raw: Any, origin: str) -> Policy:  # noqa: ANN401  # whatever the YAML holds
    """Read a policy; `origin` names it in an error.

    Raises:
        Broken: a key is missing, unknown or malformed.

    """
    try:
        return msgspec.convert(raw, Policy)
    except msgspec.ValidationError as error:
        raise Broken(f"{origin} is no signing policy: {error}", "docs/security.md explains each key.") from error


def faults(policy: Policy, run: Run) -> Iterator[str]:
    """Say each fact of a certificate that the policy does not allow."""
    expected = {
        "issuer": policy.issuer,
        "repository": policy.repository,
        "signer": policy.signer,
        "workflow": policy.signer,
        "ref": policy.ref,
        "runner": policy.runner,
    }
    for name, value in expected.items():
        if getattr(run, name) != value:
            yield f"its {name} is {getattr(run, name)}, the policy asks for {value}"
    if run.trigger not in policy.triggers:
        yield f"its trigger is {run.trigger}, the policy asks for {' or '.join(policy.triggers)}"


def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Make an object of JSON, each of whose keys stands in it once: two readers must not see two statements.

    Raises:
        ValueError: a key stands in it twice.

    """
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key stands in it twice")
    return found
