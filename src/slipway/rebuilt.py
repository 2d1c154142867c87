"""Is what a release's commit and data give today what was released? Digests and trees, compared."""

from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from slipway.records import Package

Against = Literal["attestation", "build"]  # the bento as it was released: as signed, or as it lies here still


class _Frozen(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    pass


class Part(_Frozen, frozen=True, kw_only=True):
    """A part of a release: its digest in the record, and that of the same part made anew."""

    name: Literal["data", "recipe", "model", "bento", "image", "card"]
    recorded: str
    rebuilt: str


class Rebuilt(_Frozen, frozen=True, kw_only=True):
    """What came of making a release anew."""

    schema_version: int = 1
    version: str
    source_commit: str
    identical: bool
    parts: tuple[Part, ...]
    outputs: tuple[str, ...]  # of stages, that are not what the commit's dvc.lock says
    bento: "Compared | None"  # file by file, where its digest is another
    installed: tuple[str, ...]  # what is installed here, and not what the commit's lock says


class Compared(_Frozen, frozen=True, kw_only=True):
    """How the files of a bento differ from those that were released, and where these are known from."""

    against: Against | None  # None where neither is at hand
    differences: tuple[str, ...]
    remark: str | None  # why it is not the attestation


def parts(recorded: Package, made: Package, data: str) -> tuple[Part, ...]:
    """Pair the digests of two packages; `data` is that of the files that the second one was made from."""
    one, other = recorded.bundle, made.bundle
    return (
        Part(name="data", recorded=one.data_digest, rebuilt=data),
        Part(name="recipe", recorded=one.recipe_digest, rebuilt=other.recipe_digest),
        Part(name="model", recorded=one.model_digest, rebuilt=other.model_digest),
        Part(name="bento", recorded=recorded.bento_digest, rebuilt=made.bento_digest),
        Part(name="image", recorded=recorded.image_digest, rebuilt=made.image_digest),
    )


def differing(found: tuple[Part, ...]) -> list[str]:
    """Names of the parts that are not what was recorded."""
    return [part.name for part in found if part.recorded != part.rebuilt]


def outputs(locked: Mapping[str, Any], made: Mapping[str, Any]) -> tuple[str, ...]:
    """Name the outputs of stages that differ between two dvc.lock, parsed; their order there means nothing."""
    before, now = ({(stage, path): md5 for stage, path, md5 in _outputs(lock)} for lock in (locked, made))
    return tuple(
        f"{path} of {stage}" for stage, path in now | before if now.get((stage, path)) != before.get((stage, path))
    )


def _outputs(lock: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    return [
        (stage, output["path"], output["md5"])
        for stage, entry in lock.get("stages", {}).items()
        for output in entry.get("outs", ())
    ]
