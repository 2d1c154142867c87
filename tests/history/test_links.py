"""audit shows each link of a release checked: against its signed statement, and against its source commit."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests import signed
from tests.conftest import ROOT
from tests.history.story import Story
from tests.history.test_commands import asked
from tests.outcomes import world as worlds

from slipway.commands import verifying

pytestmark = pytest.mark.usefixtures("author")
LINKS = ["signature", "image", "bento", "model", "card", "commit", "recipe", "data", "gate", "parent"]
RECORD, STATEMENT, CARD = (
    "releases/1.1.0.json",
    "attestations/1.1.0.sigstore.json",
    "attestations/1.1.0.cdx.json",
)
Spoil = Callable[[Path], None]


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Story:
    """1.0.0 is live, 1.1.0 in flight. Only to be read, or copied."""
    story = Story(tmp_path_factory.mktemp("links"))
    story.release("1.0.0")
    story.promote("1.0.0")
    story.release("1.1.0")
    return story


@pytest.fixture
def changed(told: Story, tmp_path: Path) -> Story:
    """A copy of it."""
    story = Story.__new__(Story)
    story.world = worlds.copy(told.world, tmp_path / "changed")
    story.clone = story.world.clone
    return story


def spoiled(story: Story, spoil: Spoil) -> None:
    """Change files of main by hand, past every check."""
    story.world.git("pull", "-q", folder=story.clone)
    spoil(story.clone)
    for command in ("add -A", "commit -qm By-hand", "push -q origin main"):
        story.world.git(*command.split(), folder=story.clone)


def audited(story: Story, version: str = "1.1.0", *, code: int = 0, **variables: str) -> Any:
    """The chain of a release, as a program is told it, by the root that signed it."""
    found = asked(story, "audit", version, code=code, **signed.trusting() | variables)
    assert found["schema_version"] == 2
    (chain,) = found["chains"]
    assert [link["name"] for link in chain["links"]] == LINKS
    return chain


def broken(chain: Any) -> dict[str, str]:
    """The links that are contradicted, and why; all others hold."""
    assert [link for link in chain["links"] if link["holds"] is None] == []
    return {link["name"]: link["why"] for link in chain["links"] if not link["holds"]}


def replace(name: str, before: str, after: str) -> Spoil:
    """Replace a text in a file, once."""

    def spoil(clone: Path) -> None:
        text = (clone / name).read_text()
        assert before in text
        (clone / name).write_text(text.replace(before, after, 1))

    return spoil


def field(*path: str, value: Any) -> Spoil:
    """Change a field of the record of 1.1.0."""

    def spoil(clone: Path) -> None:
        record = json.loads((clone / RECORD).read_text())
        part = record
        for key in path[:-1]:
            part = part[key]
        assert part[path[-1]] != value
        part[path[-1]] = value
        (clone / RECORD).write_text(json.dumps(record))

    return spoil


def test_each_link_of_a_release_is_checked(told: Story) -> None:
    """Who has signed it, in which run, which entry of the log, when and by whose root; and every link as signed."""
    chain = audited(told)
    assert broken(chain) == {}
    signature, links = chain["signature"], {link["name"]: link["why"] for link in chain["links"]}
    assert signature["signer"]["signer"].endswith("/.github/workflows/release.yml@refs/heads/main")
    assert signature["signer"]["commit"] == chain["source_commit"]
    assert "/actions/runs/" in signature["signer"]["invocation"]
    assert (signature["log_index"] >= 0, signature["at"][:2]) == (True, "20")
    assert "loopback root" in signature["root"]
    assert signature["root"] in links["signature"]
    assert links["data"] == "as signed, as the data.dvc of that commit"
    assert links["recipe"] == "as signed, as the files of that commit"
    assert chain["champions"] == ["1.0.0"]


def test_a_person_sees_a_mark_at_each_link(told: Story) -> None:
    """One line a link, with its mark; a refused one says why."""
    shown = told.world.ok("audit", "1.1.0").splitlines()
    marked = [line.split()[0] for line in shown if line.startswith("  ") and line.split()[1] == "✓"]
    assert [name for name in marked if name in LINKS] == ["signature", *LINKS[1:8], "parent", "gate"]


@pytest.mark.parametrize(
    ("name", "spoil"),
    [
        ("image", field("package", "image_digest", value="sha256:" + 64 * "0")),
        ("bento", field("package", "bento_digest", value="sha256:" + 64 * "0")),
        ("model", field("package", "bundle", "model_digest", value="sha256:" + 64 * "0")),
        ("recipe", field("package", "bundle", "recipe_digest", value="sha256:" + 64 * "0")),
        ("data", field("package", "bundle", "data_digest", value="md5:" + 32 * "0" + ".dir")),
        ("gate", field("gate", "thresholds_digest", value="sha256:" + 64 * "0")),
        ("card", replace(CARD, '"version": "1.1.0"', '"version": "1.1.1"')),
        ("card", lambda clone: (clone / CARD).unlink()),
    ],
    ids=["image", "bento", "model", "recipe", "data", "gate", "card", "no card"],
)
def test_a_link_that_was_changed_is_the_one_that_is_named(changed: Story, name: str, spoil: Spoil) -> None:
    """Whoever writes to main by hand is found at the very link, with exit code 1; the others hold."""
    spoiled(changed, spoil)
    found = broken(audited(changed, code=1))
    assert list(found) == [name]
    assert "NOT as signed" in found[name]


def test_another_champion_changes_the_decision_too(changed: Story) -> None:
    """The parent stands in the gate's decision: both are named."""
    spoiled(changed, field("gate", "champion", value="sha256:" + 64 * "0"))
    assert set(broken(audited(changed, code=1))) == {"gate", "parent"}


def test_another_source_commit_has_another_recipe_too(changed: Story) -> None:
    """A record that names another commit of the same main: that commit's files are not the recorded ones either."""
    other = changed.world.state().releases["1.0.0"].package.bundle.source_commit
    spoiled(changed, field("package", "bundle", "source_commit", value=other))
    found = broken(audited(changed, code=1))
    assert set(found) == {"commit", "recipe", "data"}
    assert "NOT as the data.dvc of that commit" in found["data"]


def test_the_statement_of_another_release_is_about_that(changed: Story) -> None:
    """A good signature over other things verifies, and contradicts everything that is not the same."""
    first = Path("attestations/1.0.0.sigstore.json")
    spoiled(changed, lambda clone: (clone / STATEMENT).write_bytes((clone / first).read_bytes()) and None)
    assert set(broken(audited(changed, code=1))) == set(LINKS) - {"signature"}


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (lambda clone: (clone / STATEMENT).unlink(), "nobody has signed it"),
        (replace(STATEMENT, '"payload":"e', '"payload":"f'), "its signature is refused"),
        (replace("signing/policy.yaml", "release.yml", "another.yml"), "the policy asks for"),
        (replace("signing/policy.yaml", "slsa.dev/provenance/v1", "slsa.dev/provenance/v9"), "predicate type"),
    ],
    ids=["gone", "changed", "signer", "kind"],
)
def test_a_signature_that_is_refused_verifies_nothing(changed: Story, spoil: Spoil, why: str) -> None:
    """Exit code 1, and no link is said to hold."""
    spoiled(changed, spoil)
    chain = audited(changed, code=1)
    first, *others = chain["links"]
    assert (first["holds"], chain["signature"]) == (False, None)
    assert why in first["why"]
    assert {link["holds"] for link in others} == {None}


@pytest.mark.parametrize("without", ["root", "policy"])
def test_what_cannot_be_checked_is_not_verified(changed: Story, without: str) -> None:
    """No root at hand, or nobody may sign: said as that, contradicted by nothing; the source commit still counts."""
    if without == "policy":
        spoiled(changed, lambda clone: (clone / verifying.POLICY).unlink())
    elsewhere = {verifying.LOOPBACK: str(changed.clone / "none.json")} if without == "root" else {}
    chain = audited(changed, **elsewhere)
    assert chain["signature"] is None
    assert {link["holds"] for link in chain["links"]} == {None}
    links = {link["name"]: link["why"] for link in chain["links"]}
    assert links["signature"].startswith("not checked: ")
    assert {"root": "none.json", "policy": "nobody may sign"}[without] in links["signature"]
    assert links["data"].endswith("as the data.dvc of that commit")
    spoiled(changed, field("package", "bundle", "data_digest", value="md5:" + 32 * "0" + ".dir"))
    assert {link["name"] for link in audited(changed, code=1, **elsewhere)["links"] if link["holds"] is False} == {
        "data"
    }


def test_the_policy_of_these_worlds_is_the_one_that_ships(told: Story) -> None:
    """What was verified above was verified by the policy that stands in the repository."""
    assert told.world.git("show", "main:signing/policy.yaml") == (ROOT / verifying.POLICY).read_text().strip()
