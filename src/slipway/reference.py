"""What an image is called: HOST/NAME, then :TAG, @DIGEST or both."""

import ipaddress
import re
from dataclasses import dataclass

from slipway.errors import Broken

_PART = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_REFERENCE = re.compile(
    rf"(?P<host>[A-Za-z0-9.-]+(?::\d+)?)/(?P<name>{_PART}(?:/{_PART})*)"
    r"(?::(?P<tag>\w[\w.-]{0,127}))?(?:@(?P<digest>sha256:[0-9a-f]{64}))?",
    re.ASCII,
)


@dataclass(frozen=True)
class Reference:
    """A repository of a registry, and perhaps an image in it."""

    host: str
    name: str
    tag: str | None = None
    digest: str | None = None

    @property
    def repository(self) -> str:
        """The repository without tag and digest."""
        return f"{self.host}/{self.name}"


def parse(text: str) -> Reference:
    """Parse a reference. The registry is always named: there is no default.

    Raises:
        Broken: it is none.

    """
    match = _REFERENCE.fullmatch(text)
    if not match or not ({".", ":"} & set(match["host"]) or match["host"] == "localhost"):
        raise Broken(f"{text!r} names no image", "Write HOST/NAME, as in registry.example.org/team/flights.")
    return Reference(**match.groupdict())


def repository(text: str) -> Reference:
    """Parse the name of a repository.

    Raises:
        Broken: it is none, or names one image in it.

    """
    reference = parse(text)
    if reference.tag or reference.digest:
        raise Broken(f"{text!r} names an image", f"Name the repository alone: {reference.repository}.")
    return reference


def is_loopback(host: str) -> bool:
    """Whether HOST[:PORT] is this machine, for which plain http is safe."""
    name = host.rpartition(":")[0] or host
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return name == "localhost"
