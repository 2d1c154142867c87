"""The playbooks: each of their commands, run as it stands, in the situation that its section speaks of."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests import samples
from tests.history.story import WORSE, Story

from slipway import quarantine, records
from slipway.adapters import mlflow
from slipway.manifests import tree

pytestmark = pytest.mark.usefixtures("author")
ROOT = Path(__file__).parents[2]
PAGES = sorted((ROOT / "docs/playbooks").glob("*.md"))
FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.DOTALL | re.MULTILINE)
Prepare = Callable[[Story], None]
Check = Callable[[Story, str], None]


@dataclass(frozen=True)
class Scene:
    """A section: what has happened before, and what must be so after its commands. `fresh`: in a world of its own."""

    prepare: Prepare
    check: Check
    fresh: bool = False


def sections(page: Path) -> dict[str, list[str]]:
    """The shell blocks of a page, by the heading that they stand under."""
    parts = re.split(r"^## (.*)$", page.read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert not FENCE.findall(parts[0]), "a command before the first heading belongs to no scene"
    found = {
        title: [code for language, code in FENCE.findall(text) if language == "sh"]
        for title, text in zip(parts[1::2], parts[2::2], strict=True)
    }
    return {title: blocks for title, blocks in found.items() if blocks}


def live(*versions: str, environment: str = "production") -> Prepare:
    """Versions were promoted one after the other."""

    def prepare(story: Story) -> None:
        for version in versions:
            story.release(version, environment)
            story.promote(version, environment)

    return prepare


def then(*steps: Prepare) -> Prepare:
    """One after the other."""
    return lambda story: [step(story) for step in steps] and None


def flying(version: str) -> Prepare:
    """A version is in flight."""
    return lambda story: story.release(version) and None


def aborted(version: str) -> Prepare:
    """A version was released, and aborted by the verb that the relay runs."""

    def prepare(story: Story) -> None:
        digest = story.release(version)
        story.world.ok("revert", "--digest", digest, "--cause", "verdict", "--evidence", records.dumps(WORSE))

    return prepare


def nothing(_story: Story) -> None:
    """As the section before left it."""


def says(*words: str) -> Check:
    """The commands print these words."""

    def check(_story: Story, printed: str) -> None:
        assert [word for word in words if word not in printed] == []

    return check


def stands(stable: str, **kinds: str) -> Check:
    """Main and the registry have this stable, applied; versions have these last events; nothing else is applied."""

    def check(story: Story, _printed: str) -> None:
        environment = kinds.pop("environment", "production")
        state = story.world.state()
        assert state.stable.environments[environment] == stable
        assert samples.package(stable).image_digest in tree.image_of(rendered(story, environment))
        for version, kind in kinds.items():
            assert story.world.kinds(version.replace("_", "."))[-1] == kind
        if environment == "production":
            champion = mlflow.champion(story.world.uri)
            assert champion
            assert champion.model_digest == samples.package(stable).bundle.model_digest

    return check


def rendered(story: Story, environment: str = "production") -> dict[str, str]:
    """What Argo CD applies."""
    return {name: text for name, text in story.world.manifests(environment).items() if name.endswith(".yaml")}


def every(*checks: Check) -> Check:
    """All of them."""
    return lambda story, printed: [check(story, printed) for check in checks] and None


def barred(*kinds: str) -> Check:
    """What is quarantined."""

    def check(story: Story, _printed: str) -> None:
        assert [event.what for event in quarantine.active(story.world.state().quarantine).values()] == [*kinds]

    return check


def branched(story: Story, _printed: str) -> None:
    """The abort has pushed the branch that the page names."""
    assert "refs/heads/slipway/revert-1.3.0" in story.world.git("for-each-ref", "--format=%(refname)")


def goes_back(story: Story, _printed: str) -> None:
    """The Deployment says that a person goes back."""
    assert tree.rollbacks(rendered(story)) == [("Deployment/flights", samples.package("1.0.0").image_digest)]


def judged_again(story: Story, _printed: str) -> None:
    """The release after a rollback carries no annotation."""
    story.release("1.3.0")
    assert tree.rollbacks(rendered(story)) == []
    assert samples.package("1.3.0").image_digest in tree.image_of(rendered(story))


def named(story: Story, printed: str) -> None:
    """The last line names a commit of main that asks for the recorded stable."""
    commit = printed.rsplit(maxsplit=1)[-1]
    names = story.world.git("ls-tree", "-r", "--name-only", commit, "k8s/rendered/production").split()
    texts = {name: story.world.git("show", f"{commit}:{name}") for name in names if name.endswith(".yaml")}
    assert samples.package("1.0.0").image_digest in tree.image_of(texts)


def predicted(story: Story) -> None:
    """The prediction that the page asks about was made, and turned out late."""
    identity = story.predicted("1.1.0", truth=1)
    assert identity in (ROOT / "docs/playbooks/audit.md").read_text(), identity


BOTH = live("1.0.0", "1.1.0")
SCENES = {
    "promote": {
        "Look": Scene(then(live("1.0.0"), flying("1.1.0")), says("agree", "in flight since")),
        "The canary serves everything, and Git does not know it": Scene(
            nothing, stands("1.1.0", **{"1_1_0": "promoted"})
        ),
        "You promote it, whatever the judge says": Scene(flying("1.0.0"), stands("1.0.0"), fresh=True),
        "You take it back": Scene(
            then(BOTH, flying("1.2.0")), every(stands("1.1.0", **{"1_2_0": "reverted"}), barred()), fresh=True
        ),
        "The next release is refused: quarantined": Scene(
            aborted("1.3.0"), every(barred("image", "bento", "model"), says("recipe"), branched)
        ),
        "It is done when": Scene(nothing, says("agree", "the sensor was broken", "Revert 1.3.0 in production")),
    },
    "rollback": {
        "Go back": Scene(
            then(BOTH, flying("1.2.0")),
            every(stands("1.0.0", **{"1_1_0": "rolled-back", "1_0_0": "restored", "1_2_0": "superseded"}), goes_back),
        ),
        "It is done when": Scene(nothing, says("1.0.0 (rollback)", "agree", "Roll back to 1.0.0", "out of Newark")),
        "Afterwards": Scene(
            nothing, every(stands("1.1.0"), says("Train-1.1.0", "rolled back by a person"), judged_again)
        ),
        "Staging": Scene(
            live("1.0.0", "1.1.0", environment="staging"), stands("1.0.0", environment="staging"), fresh=True
        ),
    },
    "bootstrap": {
        "Look": Scene(then(live("1.0.0"), flying("1.1.0")), every(says("1.0.0", "1.1.0", "in flight"), named)),
        "It is done when": Scene(lambda story: story.promote("1.1.0"), says("1.1.0")),
    },
    "audit": {
        "A prediction": Scene(
            then(BOTH, flying("1.2.0"), lambda story: story.abort("1.2.0"), predicted),
            says("not checked", "not asked", "verified", "truth told: 1", "release 1.1.0", "Train-1.1.0", "✓ sha256:"),
        ),
        "A release, an image, a model, a recipe": Scene(
            nothing,
            says(
                *("release 1.1.0", "is the image of 1.2.0", "barred", "never live", "release.yml@refs/heads/main"),
                *("as signed, as the data.dvc of that commit", "a loopback root"),
            ),
        ),
        "Data, or a commit, that turned out to be bad": Scene(
            nothing, says("is the source commit of 1.2.0", "is the data of 1.2.0", '"spans"')
        ),
        "Has anybody changed the record?": Scene(nothing, says("agree", "verified 1.1.0")),
    },
}


def test_each_page_is_short_and_has_its_scenes() -> None:
    """At most 90 lines; no section with commands is without a scene, and no scene without a section."""
    assert [page.stem for page in PAGES] == sorted(SCENES)
    for page in PAGES:
        assert list(sections(page)) == list(SCENES[page.stem])
        assert len(page.read_text(encoding="utf-8").splitlines()) <= 90


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_playbook(page: Path, tmp_path: Path) -> None:
    """The commands of a page, in its order, each section in the situation that it speaks of."""
    story: Story | None = None
    for title, blocks in sections(page).items():
        scene = SCENES[page.stem][title]
        if story is None or scene.fresh:
            folder = tmp_path / re.sub(r"\W+", "-", title)
            folder.mkdir()
            story = Story(folder)
        scene.prepare(story)
        done = story.world.run("sh", "-eu", "-c", "".join(blocks), COLUMNS="100")
        assert done.returncode == 0, f"{title}\n{done.stdout}{done.stderr}"
        scene.check(story, done.stdout)
