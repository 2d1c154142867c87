"""`slipway release`: one commit that proposes one image to one environment."""

from pathlib import Path
from typing import Annotated

import typer

from slipway import manifests, oci, outcomes, records, releases
from slipway.adapters import files, github, layout
from slipway.adapters.git import BRANCH, REMOTE, Repository
from slipway.changes import Change, State
from slipway.commands import BUILD, DECISION, Json, Root, deciding, emit, progress, settling, shelf, verifying
from slipway.commands.options import Environment
from slipway.commands.package import BUNDLE
from slipway.errors import Rejected
from slipway.manifests import tree
from slipway.records import Bundle, GateDecision, Package, Release


def release(
    environment: Environment = releases.PRODUCTION,
    root: Root = Path(),
    *,
    supersede: Annotated[bool, typer.Option("--supersede", help="In place of the release in flight.")] = False,
    carry: Annotated[
        str | None,
        typer.Option("--carry", metavar="VERSION", help="A release promoted in the environment before this one."),
    ] = None,
    propose: Annotated[
        bool, typer.Option("--propose", help="With --carry: as a pull request on GitHub, for a person to merge.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Propose the packaged image to an environment: manifests and record in one commit, pushed to main.

    The manifests that reviewers saw (`k8s/next/ENVIRONMENT`) are copied over those that Argo CD applies
    (`k8s/rendered/ENVIRONMENT`), and the image's tag and digest are filled in. Refused is, too, what the traffic of
    rollouts/judge.yaml cannot decide: a canary that would not be promoted before the deadline though it is like stable.

    Examples:
    ```sh
    slipway release
    slipway release --environment staging --supersede
    slipway release --carry 1.4.0      # what staging has promoted, to production
    slipway release --carry 1.4.0 --propose
    ```
    """
    repository, at, branch = Repository(root.resolve()), settling.now(), None
    if carry is None:
        proposed, commit = _packaged(repository, environment, at, supersede=supersede)
    else:
        branch = f"slipway/release-{carry}-{environment}" if propose else None
        proposed, commit = _carried(repository, carry, environment, at, supersede=supersede, branch=branch)
    package = proposed.package
    done = "[yellow]proposed[/]" if branch else "[green]released[/]"
    emit(
        proposed,
        f"{done} {package.bundle.version} to {environment}: commit {commit[:12]} on {REMOTE}/{branch or BRANCH}\n"
        f"  image {package.image_digest}",
        as_json=as_json,
    )


def _packaged(repository: Repository, environment: str, at: str, *, supersede: bool) -> tuple[Release, str]:
    """Release what was packaged in this checkout, which is main."""
    package, gate = gather(repository)
    state = shelf.state(repository.root)
    change = outcomes.propose(state, package, gate, environment=environment, at=at, supersede=supersede)
    _require_fit(repository.root, environment, state, package)
    message = settling.write(repository, change)
    verifying.commit(repository.root, package.bundle.version)
    paths = [f"k8s/rendered/{environment}", str(shelf.FOLDER), str(verifying.FOLDER)]
    commit = repository.publish(paths, message)
    return change.release, commit


def _carried(
    repository: Repository, version: str, environment: str, at: str, *, supersede: bool, branch: str | None
) -> tuple[Release, str]:
    """Release what was promoted in the environment before this one, with the bytes and the decision of its record.

    With a branch, as a pull request of it.
    """

    def decide(state: State, worktree: Repository) -> Change | None:
        before = [name for name in tree.ENVIRONMENTS if _next(worktree.root, name) == environment]
        if not before:
            raise Rejected(
                f"no environment leads to {environment}",
                f"Its Rollout says so by the annotation {tree.NEXT}: {environment}.",
            )
        change = outcomes.carry(state, version, origin=before[0], environment=environment, at=at, supersede=supersede)
        if change is not None:
            verifying.released(worktree, change.release)
            _require_fit(worktree.root, environment, state, change.release.package)
        return change

    settled = settling.settle(repository, decide, branch)
    if branch and settled.message:  # not where main has it
        # The commit's own words: `promote` finds a release by its trailers, after a squash, too.
        title, _, body = settled.message.partition("\n")
        if not github.here().open_pull_request(branch, title, body.strip()):
            progress.print(f"[yellow]closed[/] somebody has closed the pull request of {branch}: nothing is asked anew")
    return settled.state.releases[version], settled.commit


def _next(root: Path, environment: str) -> str | None:
    return tree.next_of(files.read_texts(root / "k8s/rendered" / environment, "*.yaml"))


def gather(repository: Repository) -> tuple[Package, GateDecision]:
    """Read what is to be released, and hold it against the bytes and the commits that it speaks of.

    Raises:
        Rejected: the checkout is not main, or what is at hand is not what was packaged, gated and signed, from a commit
            of main.
        Broken: nothing was packaged or gated.

    """
    repository.require_main()
    package = files.read_record(Package, repository.root / BUILD / "package.json")
    gate = files.read_record(GateDecision, repository.root / DECISION)
    verified = verifying.built(repository)
    verifying.require_same_gate(verified, gate)
    folder, again = repository.root / BUILD / "images" / package.bundle.version, "Run `slipway package` again."
    image, _ = layout.read(folder)
    baked = oci.unpack(layout.read_blob(folder, image.layers[-1].digest))[BUNDLE][0]
    if records.loads(Bundle, baked, f"{BUNDLE} in the image") != package.bundle:
        raise Rejected("the image at hand is not made from what the package says", again)
    if not repository.is_ancestor(package.bundle.source_commit):
        raise Rejected(f"the package's commit {package.bundle.source_commit} is not on {REMOTE}/{BRANCH}", again)
    return package, gate


def _require_fit(root: Path, environment: str, state: State, package: Package) -> None:
    """Refuse what must not be applied, and what this traffic cannot judge."""
    deployed, problems = manifests.examine(tree.objects(settling.filled(root, environment, package)))
    if deployed is None or problems:
        raise Rejected(f"the manifests of {environment} are refused: {problems[0]}", "Run `slipway manifests check`.")
    if environment in state.stable.environments:  # the first release runs no canary
        progress.print(f"[dim]{deciding.require_decidable(root, environment, deployed)}[/]")
