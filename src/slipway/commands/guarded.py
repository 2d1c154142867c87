"""Does a tree keep to what everybody agreed on: records only added to; what runs is signed, and not quarantined."""

from collections.abc import Sequence
from pathlib import Path

from slipway import append_only, quarantine
from slipway.adapters import files
from slipway.adapters.git import Repository
from slipway.commands import agreed, shelf, verifying
from slipway.commands.agreed import Agreed
from slipway.commands.settling import RENDERED
from slipway.errors import Broken, Rejected
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
    found += [f"{path}: was changed or is gone" for path in _rewritten(repository, (base, *before))]
    for name in tree.ENVIRONMENTS:
        found += [*_barred(repository.root, name, base), *_unsigned(repository, name)]
    return found


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


def _rewritten(repository: Repository, bases: Sequence[Agreed]) -> list[str]:
    """What was signed stays as it was."""
    was = {
        path: text
        for base in bases
        for path, text in repository.texts(base.commit, str(verifying.FOLDER), ".json").items()
    }
    now = files.read_texts(repository.root / verifying.FOLDER, "*.json")
    return [f"{verifying.FOLDER}/{name}" for name, text in sorted(was.items()) if now.get(name) != text]


def _unsigned(repository: Repository, name: str) -> list[str]:
    """Say why the image of an environment is not one that was signed for it."""
    rendered = files.read_texts(repository.root / RENDERED / name, "*.yaml")
    if not rendered:
        return []
    digest = tree.image_of(rendered).rpartition("@")[2]
    known = shelf.existing(repository.root).values()
    release = next((one for one in known if one.package.image_digest == digest), None)
    if release is None:
        return [f"{RENDERED}/{name}: no release has the image {digest}"]
    try:
        verifying.released(repository, release)
    except Rejected as error:
        return [f"{RENDERED}/{name}: {error.what}"]
    return []


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
