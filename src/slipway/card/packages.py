"""The packages of a lock as components: name and version, and on what condition each is installed.

The lock allows several files for each package, one per platform, by hash. They stay in the lock, which the card names
by its digest: which of them were taken, the digest of the runtime image says.
"""

import re
from typing import Any

from slipway.errors import Broken

_REQUIREMENT = re.compile(r"([a-z0-9][a-z0-9.-]*)==([^\s;]+)(?: ; (.+?))?((?: --hash=sha256:[0-9a-f]{64})+)")


def components(lock: str, origin: str) -> list[dict[str, Any]]:
    """Read the text of a hash-locked requirements file.

    Raises:
        Broken: a requirement is not locked by version and hash.

    """
    joined = re.sub(r"\s*\\\n\s*", " ", lock)
    return [_component(line.strip(), origin) for line in joined.splitlines() if line.strip()]


def _component(line: str, origin: str) -> dict[str, Any]:
    found = _REQUIREMENT.fullmatch(line)
    if not found:
        raise Broken(f"{origin} locks no package in {line[:80]!r}", "Lock it again: `scripts/lock.sh`.")
    name, version, condition, _ = found.groups()
    purl = f"pkg:pypi/{name}@{version}"
    plain = {"type": "library", "bom-ref": purl, "name": name, "version": version, "purl": purl}
    if not condition:
        return plain | {"scope": "required"}
    return plain | {"scope": "optional", "properties": [{"name": "slipway:condition", "value": condition}]}
