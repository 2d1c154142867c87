"""What is asked of a cluster, what it answers, and what is found."""

from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from slipway.canary.settings import Settings

State = Literal["ok", "wrong", "cannot tell"]
Object = Mapping[str, Any]


class _Frozen(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    pass


class Finding(_Frozen, frozen=True, kw_only=True):
    """What a check has found, and what to do; of what is ok, `remedy` may say what would be better."""

    check: str
    place: str  # cluster, or an environment
    where: str  # the same, or the object that is wrong
    state: State
    found: str
    remedy: str


class Report(_Frozen, frozen=True, kw_only=True):
    """All findings, held against main at `commit`."""

    schema_version: int = 1
    commit: str
    findings: tuple[Finding, ...]

    def count(self, state: State) -> int:
        """How many findings are so."""
        return sum(one.state == state for one in self.findings)


class Answer(_Frozen, frozen=True, kw_only=True):
    """What the API said to a GET: JSON, or else text. Of a Secret, digests instead of what it holds."""

    status: int  # of HTTP; 0: no answer at all
    body: Any = None


class Unasked(Exception):
    """Nobody has read this path yet."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.path = path


class Wanted(_Frozen, frozen=True, kw_only=True):
    """What main says of an environment."""

    name: str
    namespace: str
    rollout: str
    judge: str  # address that its analysis asks
    image: str | None  # reference that Argo CD is told to apply; None before the first release


class World(_Frozen, frozen=True, kw_only=True):
    """What main says, and what the cluster's API has answered so far, by path."""

    commit: str
    now: float
    settings: Settings  # rollouts/judge.yaml
    notifications: Object  # argocd/notifications.yaml
    health: Object  # argocd/health.yaml
    let_in: frozenset[str]  # namespaces that may reach the pods: the router's is one of them
    environments: tuple[Wanted, ...]
    answers: Mapping[str, Answer]

    def ask(self, path: str) -> Answer:
        """Look an answer up.

        Raises:
            Unasked: nobody has read it yet.

        """
        if path not in self.answers:
            raise Unasked(path)
        return self.answers[path]
