"""What a world has at GitHub: tokens, pull requests, comments, issues, and where its repository and images lie."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from secrets import token_hex
from typing import Any

PERSON, RELAY = "somebody", "slipway-relay[bot]"


@dataclass(frozen=True)
class Token:
    """What a token may do, and whose it is."""

    permissions: Mapping[str, str]
    actor: str  # app, workflow (what that pushes starts no run), or another's name

    def may(self, what: str, how: str) -> bool:
        """Whether it has a right; who may write may read."""
        return self.permissions.get(what) in (how, "write")


@dataclass
class Shelf:
    """What a world has at GitHub."""

    folder: Path
    tokens: dict[str, Token] = field(default_factory=dict)
    dispatched: list[tuple[str, str, dict[str, str], str]] = field(default_factory=list)  # workflow, ref, inputs, actor
    pulls: list[dict[str, Any]] = field(default_factory=list)
    comments: dict[int, list[str]] = field(default_factory=dict)  # of each pull request one: all that it said
    issues: list[dict[str, Any]] = field(default_factory=list)

    @property
    def origin(self) -> Path:
        """The bare repository."""
        return self.folder / "origin.git"

    @property
    def blobs(self) -> Path:
        """What the registry holds."""
        return self.folder / "registry"

    def issue(self, permissions: Mapping[str, str], actor: str) -> str:
        """Make a token."""
        text = f"ghs_{token_hex(16)}"
        self.tokens[text] = Token(permissions, actor)
        return text
