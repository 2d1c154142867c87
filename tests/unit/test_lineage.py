"""What a name stands for, and which releases have it."""

import msgspec
import pytest
from tests.unit.test_history import revisions

from slipway import history, lineage
from slipway.errors import Rejected
from slipway.records import Quarantine

EVENTS = history.noted(
    revisions(
        {"1.9.0": ["proposed production"]},
        {"1.9.0": ["promoted production"], "1.10.0": ["proposed production"]},
    )
)


def known() -> dict[str, lineage.Release]:
    """1.9.0 and 1.10.0: their own images, one model and recipe, and bentos that begin alike."""
    found, same = {}, "sha256:" + 64 * "a"
    for version, letter in (("1.9.0", "1"), ("1.10.0", "2")):
        (plain,) = revisions({version: []})
        release = plain.releases[version]
        package = msgspec.structs.replace(
            release.package,
            image_digest="sha256:" + 64 * letter,
            bento_digest="sha256:" + 63 * "e" + letter,
            bundle=msgspec.structs.replace(
                release.package.bundle, source_commit=40 * letter, model_digest=same, recipe_digest=same
            ),
        )
        found[version] = msgspec.structs.replace(release, package=package)
    return found


@pytest.mark.parametrize(
    ("subject", "kinds", "versions"),
    [
        ("1.9.0", ["version"], ["1.9.0"]),
        ("sha256:" + 64 * "1", ["image"], ["1.9.0"]),
        ("sha256:" + 12 * "2", ["image"], ["1.10.0"]),
        (12 * "1", None, None),  # the image, and the source commit
        (64 * "1", ["image"], ["1.9.0"]),
        ("sha256:" + 12 * "a", ["model", "recipe"], ["1.9.0", "1.10.0"]),
        ("sha256:" + 12 * "e", None, None),
        ("sha256:" + 63 * "e" + "1", ["bento"], ["1.9.0"]),
        (EVENTS[-1].commit, ["outcome commit"], ["1.9.0", "1.10.0"]),
    ],
)
def test_find(subject: str, kinds: list[str] | None, versions: list[str] | None) -> None:
    """One value, of one kind or several, in the order of versions by number; several values are refused and listed."""
    if kinds is None:
        with pytest.raises(Rejected, match=r"is the beginning of several: .*;"):
            lineage.find(subject, known(), EVENTS)
        return
    found = lineage.find(subject, known(), EVENTS)
    assert [one.kind for one in found] == kinds
    assert {version for one in found for version in one.versions} == set(versions or ())
    assert list(found[0].versions) == versions


@pytest.mark.parametrize(
    "subject", ["", "abc", 11 * "a", "1.9", "sha256:", "latest", 12 * "A", "../" + 12 * "a", "9.9.9"]
)
def test_what_is_no_name(subject: str) -> None:
    """Too short, of no kind, or of nobody: refused, never guessed."""
    with pytest.raises(Rejected):
        lineage.find(subject, known(), EVENTS)


def test_the_chain_of_a_release() -> None:
    """What it shares with others, whom it was held against, its own events."""
    made = lineage.chain(
        "1.10.0", known(), EVENTS, Quarantine(), registered=None, source=None, signature=None, links=()
    )
    assert made.shared == {"model": ("1.9.0",), "recipe": ("1.9.0",), "data": ("1.9.0",)}
    assert [one.version for one in made.events] == ["1.10.0"]
    assert made.champions == ()


def test_a_commit_that_is_not_in_this_clone_contradicts_nothing() -> None:
    """What cannot be looked at is said to be so, of the three links that come from there."""
    found = lineage.links(known()["1.9.0"], None, None, None)
    assert {link.holds for link in found} == {None}
    assert [link.name for link in found if "not in this clone" in link.why] == ["commit", "recipe", "data"]
