"""How an outcome becomes fact: decided on what main says, and written there by one commit."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from slipway import changes, outcomes, releases
from slipway.adapters import files
from slipway.adapters.git import Repository
from slipway.changes import Change, Manifests, State
from slipway.commands import shelf
from slipway.errors import Broken
from slipway.manifests import tree
from slipway.records import Package, Release

Decide = Callable[[State, Repository], Change | None]
NOTHING = "Nothing is released to {environment}, so Argo CD applies nothing from here.\n"
RENDERED, PROPOSED = Path("k8s/rendered"), Path("k8s/next")


@dataclass(frozen=True)
class Settled:
    """What main says at a commit, and by which message, if this run has made it say so."""

    commit: str
    state: State
    message: str | None


def now() -> str:
    """The time, as records hold it."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def settle(repository: Repository, decide: Decide, branch: str | None = None) -> Settled:
    """Decide on what main says, and make it say the outcome; decided anew whenever somebody else was faster.

    With a branch, that one is made to say it, for a person to merge.
    """
    made: list[State] = []
    messages: list[str | None] = []

    def change(worktree: Repository) -> str | None:
        state = shelf.state(worktree.root)
        decided = decide(state, worktree)
        made.append(changes.after(state, decided) if decided else state)
        messages.append(write(worktree, decided) if decided else None)
        return messages[-1]

    commit = repository.compare_and_swap(change) if branch is None else repository.branch_off(change, branch)
    return Settled(commit=commit, state=made[-1], message=messages[-1])


def read(repository: Repository) -> Settled:
    """What main says now."""
    return settle(repository, lambda _state, _worktree: None)


def write(worktree: Repository, change: Change) -> str:
    """Write what a change changes, and return the message of its commit."""
    event, message = change.release.events[-1], changes.message(change)
    if change.manifests is not None:
        rendered = manifests(worktree, event.environment, change.manifests)
        files.write_texts(worktree.root / RENDERED / event.environment, rendered)
        if event.kind == releases.PROPOSED:
            lines = releases.trailers(change.release.package.bundle, tree.image_of(rendered), event.environment)
            message = f"{change.subject}\n\n{lines}"
    for release in change.releases:
        shelf.write(worktree.root, release)
    if change.stable.environments:
        shelf.write_stable(worktree.root, change.stable)
    if change.quarantine.events:
        shelf.write_quarantine(worktree.root, change.quarantine)
    return message


def manifests(worktree: Repository, environment: str, given: Manifests) -> dict[str, str]:
    """The manifests that an environment is given: as its release commit has them, or as the sources have them now.

    Raises:
        Broken: the history lacks that commit, or it does not run the image of that release.

    """
    if given.release is None:
        return {"README.md": NOTHING.format(environment=environment)}  # Argo CD wants the folder
    package = given.release.package
    if given.proposed or environment == tree.FOLLOWING:
        texts = filled(worktree.root, environment, package)
    else:
        texts = _released(worktree, environment, given.release)
    return tree.with_rollback(texts, package.image_digest) if given.rollback else texts


def filled(root: Path, environment: str, package: Package) -> dict[str, str]:
    """The manifests that reviewers saw, with the image and the bento of a package."""
    texts = files.read_texts(root / PROPOSED / environment, "*.yaml")
    name = tree.image_of(texts).partition("@")[0].rpartition(":")[0]
    return tree.with_image(texts, f"{name}:{package.bundle.version}@{package.image_digest}", package.bento_digest)


def release_commit(worktree: Repository, version: str, environment: str) -> str:
    """The commit that released a version to an environment.

    Raises:
        Broken: this history has none.

    """
    found = worktree.find((f"Slipway-Release: {version}", f"Slipway-Environment: {environment}"))
    if found is None:
        raise Broken(
            f"no commit of this history releases {version} to {environment}",
            "If the clone is shallow: git fetch --unshallow.",
        )
    return found


def _released(worktree: Repository, environment: str, release: Release) -> dict[str, str]:
    version = release.package.bundle.version
    commit = outcomes.release_commit(release, environment) or release_commit(worktree, version, environment)
    if worktree.commit_of(commit) is None:
        raise Broken(
            f"the clone lacks {commit}, which released {version} to {environment}",
            "If it is shallow: git fetch --unshallow.",
        )
    texts = worktree.texts(commit, f"{RENDERED}/{environment}", ".yaml")
    if not tree.image_of(texts).endswith(f"@{release.package.image_digest}"):
        raise Broken(
            f"{commit} does not run the image of {version}, {release.package.image_digest}",
            f"See `git show {commit}`: the `commit` of the event `promoted` in releases/{version}.json is wrong.",
        )
    return texts
