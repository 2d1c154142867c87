"""The branch that takes back what made an aborted model: real commits of a small repository and its bare origin."""

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.outcomes.world import AT
from tests.samples import release

from slipway import recipe
from slipway.adapters import files
from slipway.adapters.git import Repository
from slipway.commands import source_revert
from slipway.errors import Broken, Rejected
from slipway.records import Evidence, Release, ReleaseEvent

BRANCH = "slipway/revert-1.1.0"
EVIDENCE = Evidence(
    detail="2.9 points more loss",
    blame="brier",
    requests={"stable": 900, "canary": 100},
    seconds=60,
    abort=7.0,
    abort_needed=5.0,
    attempt=1,
    step=1,
)
START = {
    "params.yaml": "train: {rows: 1, depth: 2}\n",
    "dvc.yaml": "stages: {}\n",
    "src/slipway/features.py": "FEATURES = ['hour']\n",
    "src/slipway/stages/train.py": "# trains\n",
    "data.dvc": "outs: [{md5: one}]\n",
    "dvc.lock": "lock: one\n",
    "artifacts/metrics.json": "{}\n",
    "README.md": "What it is.\n",
}


class Story:
    """A clone in which things happen, one commit each, and its bare origin."""

    def __init__(self, folder: Path) -> None:
        self.origin, self.root = folder / "origin.git", folder / "clone"
        self.root.mkdir()
        self.git("init", "-q", "--bare", "--initial-branch=main", str(self.origin))
        self.git("init", "-q", "-b", "main")
        self.git("remote", "add", "origin", str(self.origin))
        self.stable = self.release("1.0.0", self.commit("Begin", **START))

    def git(self, *arguments: str) -> str:
        """Run git in the clone."""
        done = subprocess.run(["git", *arguments], cwd=self.root, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def commit(self, message: str, **texts: str) -> str:
        """Write files, commit them, and push; returns the commit."""
        for name, text in texts.items():
            (self.root / name).parent.mkdir(parents=True, exist_ok=True)
            (self.root / name).write_text(text)
        self.git("add", "--all")
        self.git("commit", "-qm", message)
        self.git("push", "-q", "origin", "HEAD:main")
        return self.git("rev-parse", "HEAD")

    def recipe(self) -> str:
        """The digest of the recipe that is checked out."""
        return recipe.digest(files.read_matching(self.root, recipe.PATTERNS))

    def release(self, version: str, source: str, *events: ReleaseEvent) -> Release:
        """A release made from a commit, with the recipe that is checked out."""
        made = release(version, *events)
        bundle = msgspec.structs.replace(made.package.bundle, source_commit=source, recipe_digest=self.recipe())
        return msgspec.structs.replace(made, package=msgspec.structs.replace(made.package, bundle=bundle))

    def aborted(self, source: str, **changes: Any) -> Release:
        """A release made from a commit, that the judge aborted."""
        event = ReleaseEvent(kind="reverted", environment="production", at=AT, cause="verdict", evidence=EVIDENCE)
        return self.release("1.1.0", source, msgspec.structs.replace(event, **changes))

    def propose(self, aborted: Release) -> str | None:
        """Push the branch, and see that the clone is as it was."""
        before = self.git("status", "--porcelain", "--branch"), self.git("rev-parse", "HEAD", "origin/main")
        try:
            return source_revert.propose(Repository(self.root), aborted, self.stable)
        finally:
            now = self.git("status", "--porcelain", "--branch"), self.git("rev-parse", "HEAD", "origin/main")
            assert now == before
            assert len(self.git("worktree", "list").splitlines()) == 1

    def branches(self) -> list[str]:
        """Branches of the origin besides main."""
        listed = self.git("ls-remote", "--heads", "origin").split()[1::2]
        return [name.removeprefix("refs/heads/") for name in listed if name != "refs/heads/main"]

    def merge(self) -> None:
        """Merge the branch, as a pull request does."""
        self.git("fetch", "-q", "origin", BRANCH)
        self.git("merge", "-q", "--no-ff", "-m", "Merge the pull request", "FETCH_HEAD")
        self.git("push", "-q", "origin", "HEAD:main")

    def read(self, name: str) -> str:
        """A file of the clone."""
        return (self.root / name).read_text()


@pytest.fixture
def story(make_world: Callable[[], Any], tmp_path: Path) -> Story:
    """A repository whose first commit made the recorded stable; `make_world` says who commits."""
    return Story(tmp_path)


def everything(story: Story) -> Release:
    """A recipe change by a merge, the machine's commit, docs, new data, a release commit; then what main got since."""
    story.git("checkout", "-q", "-b", "leak")
    for name, text in {"features.py": "FEATURES = ['hour', 'dep_delay']\n", "stages/more.py": "# new\n"}.items():
        (story.root / "src/slipway" / name).write_text(text)
        story.git("add", "--all")
        story.git("commit", "-qm", f"Change {name}")
    story.git("checkout", "-q", "main")
    story.commit("Explain", **{"README.md": "What it is, and why.\n"})
    story.git("merge", "-q", "--no-ff", "-m", "Merge branch leak", "leak")
    story.commit("Add May", **{"data.dvc": "outs: [{md5: two}]\n"})
    story.commit("Add June", **{"data.dvc": "outs: [{md5: three}]\n"})
    story.commit(
        "Record what the pipeline computed",
        **{"dvc.lock": "lock: two\n", "artifacts/metrics.json": '{"auc": 0.9}\n'},
    )
    aborted = story.aborted(story.git("rev-parse", "HEAD"))
    story.commit("Release 1.1.0 to production", **{"releases/1.1.0.json": "{}\n"})
    story.commit("Revert 1.1.0 in production", **{"releases/1.1.0.json": "{ }\n"})
    return aborted


def test_merged_it_brings_the_stables_recipe_back_and_keeps_the_rest(story: Story) -> None:
    """What made the model is undone, merge included; words, releases and what came after stand."""
    aborted = everything(story)
    assert aborted.package.bundle.recipe_digest != story.stable.package.bundle.recipe_digest

    assert story.propose(aborted) == BRANCH
    assert story.branches() == [BRANCH]
    story.merge()

    assert story.recipe() == story.stable.package.bundle.recipe_digest
    made = {name: text for name, text in START.items() if name != "README.md"}
    assert {name: story.read(name) for name in made} == made
    assert story.read("README.md") == "What it is, and why.\n"
    assert (story.root / "releases/1.1.0.json").exists()
    assert not (story.root / "src/slipway/stages/more.py").exists()


def test_the_commit_says_what_was_aborted_and_what_it_takes_back(story: Story) -> None:
    """One commit on main's tip: the evidence's sentence, each commit by its subject, and trailers for machines."""
    aborted = everything(story)
    story.propose(aborted)
    story.git("fetch", "-q", "origin", BRANCH)
    said = story.git("log", "-1", "--format=%B", "FETCH_HEAD")

    assert story.git("rev-parse", "FETCH_HEAD^") == story.git("rev-parse", "origin/main")
    assert said.startswith("Take back what made 1.1.0\n\n1.1.0 was aborted in production (verdict: 2.9 points more")
    listed = [line.split(maxsplit=1)[1] for line in said.splitlines() if line.startswith("    ")]
    assert listed == ["Record what the pipeline computed", "Add June", "Add May", "Merge branch leak"]
    assert "The recipe is that of 1.0.0, the recorded stable." in said
    trailers = story.git("log", "-1", "--format=%(trailers)", "FETCH_HEAD")
    assert f"Slipway-Takes-Back: 1.1.0\nSlipway-Image: {aborted.package.image_digest}" in trailers


def test_a_recipe_that_moved_on_is_named(story: Story) -> None:
    """Where main has another change of the recipe since, merging does not bring the stable's back, and it says so."""
    aborted = everything(story)
    story.commit("Tune", **{"dvc.yaml": "stages: {more: {}}\n"})
    story.propose(aborted)
    story.merge()

    assert story.read("dvc.yaml") == "stages: {more: {}}\n"
    assert story.recipe() != story.stable.package.bundle.recipe_digest
    assert "not quite that of 1.0.0, the recorded stable: main has changed since." in story.git("log", "-1", "HEAD^2")


def test_the_same_again_changes_nothing(story: Story) -> None:
    """Repeated, the branch stays as it is, also when a person has added to it; merged and deleted, there is nothing."""
    aborted = everything(story)
    story.propose(aborted)
    first = story.git("ls-remote", "origin", BRANCH)
    story.commit("Something else", **{"README.md": "More.\n"})
    assert story.propose(aborted) == BRANCH
    assert story.git("ls-remote", "origin", BRANCH) == first

    story.merge()
    story.git("push", "-q", "origin", f":{BRANCH}")
    assert story.propose(aborted) is None
    assert story.branches() == []


def test_nothing_to_take_back_is_no_branch(story: Story) -> None:
    """A twin, and a release that only words set apart from the stable, have no commit to revert."""
    assert story.propose(story.aborted(story.stable.package.bundle.source_commit)) is None
    assert story.propose(story.aborted(story.commit("Explain", **{"README.md": "Why.\n"}))) is None
    assert story.branches() == []


def test_what_conflicts_is_left_to_a_person(story: Story) -> None:
    """A file that was changed again since: no branch, and a sentence that names the file, the commit and the way."""
    changed = story.commit("Deepen", **{"params.yaml": "train: {rows: 1, depth: 3}\n"})
    aborted = story.aborted(changed)
    story.commit("Deepen more", **{"params.yaml": "train: {rows: 1, depth: 4}\n"})

    with pytest.raises(Rejected, match=r"params\.yaml has changed on main since [0-9a-f]+ “Deepen”") as error:
        story.propose(aborted)
    assert error.value.remedy == f"Revert by hand, and merge: git revert {changed}"
    assert story.branches() == []
    assert story.propose(story.aborted(story.stable.package.bundle.source_commit)) is None  # the next is not disturbed


def test_a_source_that_is_not_here_is_broken(story: Story) -> None:
    """Without the commit there is nothing that could be said."""
    with pytest.raises(Broken, match="git log failed"):
        story.propose(story.aborted(40 * "e"))
    assert story.branches() == []
