"""What all kinds have in common, and the parts that several of them use."""

from typing import Annotated, Literal

import msgspec

Name = Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$")]
Duration = Annotated[str, msgspec.Meta(pattern=r"^\d+[smh]$")]
Quantity = Annotated[str, msgspec.Meta(pattern=r"^\d+(m|Ki|Mi|Gi)?$")]
Port = Annotated[int, msgspec.Meta(ge=1, le=65535)]
Labels = Annotated[dict[str, str], msgspec.Meta(min_length=1)]


class Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """Any part of an object: a field that is not named here is refused, one without a default must be there."""


class Metadata(Part, frozen=True):
    """Name, namespace (set by the overlay), labels and annotations."""

    name: Name
    namespace: Name
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}


class Object(Part, frozen=True):
    """What every object has; each kind narrows `api_version` and `kind`."""

    api_version: str
    kind: str
    metadata: Metadata

    @property
    def label(self) -> str:
        """How messages name it."""
        return f"{self.kind}/{self.metadata.name}"


class Selector(Part, frozen=True):
    """Equality only: set-based expressions are not used."""

    match_labels: Labels


class Named(Part, frozen=True):
    """A reference to an object of the same namespace by name."""

    name: Name


class WorkloadReference(Part, frozen=True):
    """A reference to something that owns pods."""

    api_version: str
    kind: str
    name: Name


class RolloutReference(WorkloadReference, frozen=True):
    """A reference to a Rollout."""

    api_version: Literal["argoproj.io/v1alpha1"]
    kind: Literal["Rollout"]
