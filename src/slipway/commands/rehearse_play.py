"""What is rehearsed: two releases in the manifests of an environment, and how."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path

from slipway.adapters.traffic import Flight
from slipway.canary.records import ARMS, Arm
from slipway.canary.settings import Settings
from slipway.manifests import tree
from slipway.manifests.environment import Environment


@dataclass(frozen=True)
class Side:
    """A release, unpacked."""

    version: str
    image: str  # digest
    bento: Path
    bento_digest: str | None = None  # that its service must find; None for one that nobody packaged


@dataclass(frozen=True, kw_only=True)
class Play:
    """What is rehearsed, and how."""

    name: str  # of the environment
    environment: Environment
    settings: Settings
    stable: Side | None
    canary: Side
    rows: Sequence[Flight]
    folder: Path
    rate: float | None = 600.0  # requests a second; None is as fast as it goes
    speed: float = 1.0
    seed: int = 0
    sticky: bool = False
    truth_delay: float = 0.5  # seconds
    overrides: Mapping[str, str] = field(default_factory=dict)  # arguments of the analysis
    ledger: str | None = None  # by default a file in the folder
    judge: str | None = None  # the address of one that runs already
    arguments: tuple[str, ...] = ()  # by which the verb was called

    @property
    def pods(self) -> dict[Arm, str]:
        """Pod-template hashes, by which ledger and judge know the arms."""
        images = {"stable": self.stable.image if self.stable else "", "canary": self.canary.image}
        return {arm: blake2b(f"{arm} {images[arm]}".encode(), digest_size=5).hexdigest() for arm in ARMS}

    @property
    def rollback(self) -> bool:
        """Whether a person goes back to the canary's image."""
        return self.environment.deployment.metadata.annotations.get(tree.ROLLBACK) == self.canary.image
