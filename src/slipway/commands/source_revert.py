"""After an abort: a branch that takes back the commits that made the model, for a pull request."""

from slipway import recipe
from slipway.adapters import files
from slipway.adapters.git import BRANCH, REMOTE, Repository
from slipway.errors import Broken, Rejected
from slipway.records import Release, ReleaseEvent

INPUTS = (*recipe.PATTERNS, "data.dvc", "dvc.lock", "artifacts")  # what a model follows from, and what records it
TAKES_BACK = "Slipway-Takes-Back"  # the trailer of the branch's commit


def propose(repository: Repository, aborted: Release, stable: Release) -> str | None:
    """Push a branch that reverts what came after the stable and made the aborted release; None: nothing is left to.

    A branch that is there already stays: people may be at work on it.

    Raises:
        Rejected: main has changed since in a way that a person has to reconcile; no branch is pushed.
        Broken: git could not, or the remote cannot be reached.

    """
    version = aborted.package.bundle.version
    name = f"slipway/revert-{version}"
    if repository.marked(f"refs/heads/{name}"):
        return name
    with repository.throw_away() as tree:
        tree.git("fetch", "--quiet", "--no-tags", "--refmap=", REMOTE, f"refs/heads/{BRANCH}")
        tree.git("checkout", "--quiet", "--detach", "FETCH_HEAD")
        if tree.find((f"{TAKES_BACK}: {version}",)):
            return None  # merged: what main got since may well conflict with taking it back once more
        commits = _commits(tree, aborted, stable)
        for commit in commits:
            _revert(tree, commit, version)
        if not tree.dirty():
            return None
        tree.git("add", "--all")
        tree.git("commit", "--quiet", "--message", _message(tree, commits, aborted, stable))
        tree.mark(tree.head(), f"refs/heads/{name}")
    return name


def _commits(tree: Repository, aborted: Release, stable: Release) -> list[str]:
    """Those of the main line between both sources that touch what a model is made from, the newest first."""
    span = f"{stable.package.bundle.source_commit}..{aborted.package.bundle.source_commit}"
    patterns = [f":(glob){pattern}" for pattern in INPUTS]
    return tree.git("log", "--first-parent", "--format=%H", span, "--", *patterns).splitlines()


def _revert(tree: Repository, commit: str, version: str) -> None:
    merge = len(tree.git("rev-list", "--parents", "--max-count=1", commit).split()) > 2
    try:
        tree.git("revert", "--no-commit", *(("--mainline", "1") if merge else ()), commit)
    except Broken:
        if conflicts := tree.git("diff", "--name-only", "--diff-filter=U").split():
            raise Rejected(
                f"the commits that made {version} cannot be taken back by a machine: {', '.join(conflicts)}"
                f" has changed on {BRANCH} since {tree.git('log', '--max-count=1', '--format=%h “%s”', commit)}",
                f"Revert by hand, and merge: git revert {commit}",
            ) from None
        raise


def _message(tree: Repository, commits: list[str], aborted: Release, stable: Release) -> str:
    """Say what was aborted and why, which commits this takes back, and whether the stable's recipe is there again."""
    version, before = aborted.package.bundle.version, stable.package.bundle
    event = next((one for one in reversed(aborted.events) if one.kind == "reverted"), None)
    same = recipe.digest(files.read_matching(tree.root, recipe.PATTERNS)) == before.recipe_digest
    listed = "\n".join(f"    {tree.git('log', '--max-count=1', '--format=%h %s', commit)}" for commit in commits)
    return (
        f"Take back what made {version}\n\n{_why(version, event)}\n\nReverted, the newest first:\n\n{listed}\n\n"
        f"The recipe is {'that' if same else 'not quite that'} of {before.version}, the recorded stable"
        f"{'.' if same else f': {BRANCH} has changed since.'}\n\n"
        f"{TAKES_BACK}: {version}\nSlipway-Image: {aborted.package.image_digest}\n"
        f"Slipway-Recipe: {aborted.package.bundle.recipe_digest}\nSlipway-Stable: {before.version}"
    )


def _why(version: str, event: ReleaseEvent | None) -> str:
    if event is None:
        return f"{version} was aborted."
    told = ": ".join(filter(None, (event.cause, event.evidence.detail if event.evidence else None, event.why)))
    return f"{version} was aborted in {event.environment} ({' '.join(told.split())})."  # one line: no trailer
