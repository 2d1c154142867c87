"""What an image is called."""

import pytest

from slipway import reference
from slipway.errors import Broken
from slipway.reference import Reference

DIGEST = "sha256:" + "a" * 64


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("registry.example.org/flights", Reference("registry.example.org", "flights")),
        ("localhost/a/b-c", Reference("localhost", "a/b-c")),
        ("127.0.0.1:5000/a:v1.2", Reference("127.0.0.1:5000", "a", tag="v1.2")),
        (f"r.example.org/a@{DIGEST}", Reference("r.example.org", "a", digest=DIGEST)),
        (f"r.example.org/a:v1@{DIGEST}", Reference("r.example.org", "a", "v1", DIGEST)),
    ],
)
def test_parse(text: str, expected: Reference) -> None:
    """Host, name, tag and digest are told apart."""
    assert reference.parse(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "flights",
        "team/flights",
        "r.example.org",
        "r.example.org/",
        "r.example.org/Team",
        "r.example.org/a:",
        "r.example.org/a@sha256:1",
        "r.example.org/a/../b",
        "r.example.org/a\n",
        "https://r.example.org/a",
    ],
)
def test_parse_refuses(text: str) -> None:
    """What names no registry, or no image in it, is refused: there is no default registry."""
    with pytest.raises(Broken, match="names no image"):
        reference.parse(text)


def test_repository_refuses_an_image() -> None:
    """Where a repository is meant, a tag is a mistake."""
    assert reference.repository("r.example.org/a").repository == "r.example.org/a"
    with pytest.raises(Broken, match="names an image"):
        reference.repository("r.example.org/a:v1")


@pytest.mark.parametrize(
    ("host", "answer"),
    [
        ("127.0.0.1:5000", True),
        ("127.9.9.9", True),
        ("localhost", True),
        ("localhost:5000", True),
        ("127.0.0.1.example.org", False),
        ("localhost.example.org:80", False),
        ("10.0.0.1:5000", False),
        ("0.0.0.0:5000", False),
        ("", False),
    ],
)
def test_only_this_machine_is_loopback(host: str, answer: bool) -> None:
    """Plain http goes to no name that merely looks like this machine."""
    assert reference.is_loopback(host) is answer
