"""Packages, decisions of the gate, and releases, for tests that need some: of a version, and the same each time."""

from typing import Any

import msgspec

from slipway import digests
from slipway.records import Bundle, GateDecision, Package, Release, ReleaseEvent


def digest(text: str) -> str:
    """A digest, the same for the same text."""
    return digests.of_bytes(text.encode())


def package(version: str, **parts: str) -> Package:
    """A package of a version; its image, bento, model and recipe are its own, or those of another that is named."""
    own = {part: digest(f"{part} {parts.get(part, version)}") for part in ("image", "bento", "model", "recipe")}
    bundle = Bundle(
        version=version,
        source_commit=40 * "c",
        data_digest="md5:0",
        recipe_digest=own["recipe"],
        model_digest=own["model"],
        request_version=1,
    )
    return Package(bundle=bundle, bento_digest=own["bento"], image_digest=own["image"])


def gate(model_digest: str, champion: str | None = None, **changes: Any) -> GateDecision:
    """An accepted decision about a model, held against a champion."""
    accepted = GateDecision(
        accepted=True,
        first=champion is None,
        model_digest=model_digest,
        champion=champion,
        base=40 * "b",
        thresholds_digest=digest("thresholds"),
        guards_changed=(),
        checks=(),
        latency_ms=0.1,
        model_bytes=1,
        comparison=None,
    )
    return msgspec.structs.replace(accepted, **changes)


def release(version: str, *events: ReleaseEvent, **parts: str) -> Release:
    """A release of such a package, let in without a champion."""
    made = package(version, **parts)
    return Release(package=made, gate=gate(made.bundle.model_digest), events=events)
