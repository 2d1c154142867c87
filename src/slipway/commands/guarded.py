"""Does a tree keep to what everybody agreed on: `releases/` only added to, and nothing quarantined in what runs."""

from pathlib import Path

from slipway import append_only, quarantine
from slipway.adapters import files
from slipway.adapters.git import Repository
from slipway.commands import agreed, shelf
from slipway.commands.agreed import Agreed
from slipway.commands.settling import RENDERED
from slipway.errors import Broken
from slipway.manifests import tree


def problems(root: Path) -> list[str]:
    """Say what a tree takes back of what it started from; nothing where no commit is, as in an unpacked archive.

    Raises:
        Broken: the clone is too shallow to tell.

    """
    repository = Repository(root.resolve())
    head = repository.commit_of("HEAD")
    if head is None or Path(repository.git("rev-parse", "--show-toplevel")) != repository.root:
        return []
    base, *before = _base(repository, head)
    after = files.read_texts(repository.root / shelf.FOLDER, "*.json")
    faults = [fault for one in (base, *before) for fault in append_only.faults(one.texts, after)]
    found = [f"{shelf.FOLDER}: {fault}" for fault in dict.fromkeys(faults)]
    return found + [problem for name in tree.ENVIRONMENTS for problem in _barred(repository.root, name, base)]


def _base(repository: Repository, head: str) -> list[Agreed]:
    """Where the tree left main; on main itself, that and the commit before it."""
    if repository.git("rev-parse", "--is-shallow-repository") == "true":
        raise Broken(
            f"{repository.root} has a part of the history only, nothing to hold {shelf.FOLDER}/ against",
            "git fetch --unshallow; in a workflow, fetch-depth: 0.",
        )
    main = repository.commit_of(agreed.MAIN)
    fork = repository.git("merge-base", main, head) if main else head
    parent = repository.commit_of(f"{head}^") if main and fork == head else None
    return [agreed.at(repository, commit) for commit in (fork, parent) if commit]


def _barred(root: Path, name: str, base: Agreed) -> list[str]:
    """Say why the image of an environment must not run; its recorded stable is a person's to take away."""
    rendered = files.read_texts(root / RENDERED / name, "*.yaml")
    if not rendered:
        return []
    digest, main = tree.image_of(rendered).rpartition("@")[2], base.state()
    known = main.releases.get(main.stable.environments.get(name, ""))
    if known and known.package.image_digest == digest:
        return []
    reasons = quarantine.reasons(main.quarantine, {"image": digest}, main.releases)
    return [f"{RENDERED}/{name}: {reason}" for reason in reasons]
