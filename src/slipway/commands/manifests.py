"""`slipway manifests`: render what the cluster shall apply, and refuse what it must not."""

from pathlib import Path

from slipway import manifests, releases
from slipway.adapters import files, kustomize
from slipway.changes import State
from slipway.commands import Json, Root, emit, guarded, policy, shelf
from slipway.errors import Rejected
from slipway.manifests import delivery, tree
from slipway.manifests.environment import Environment
from slipway.records import ManifestImages


def check(root: Root = Path(), *, as_json: Json = False) -> None:
    """Hold the rendered manifests, and what Argo CD is told of them, to every rule.

    An environment may run its recorded stable and what is in flight there, with the bento of that release. Against what
    `origin/main` held where this tree left it (on main itself: the commit before), `releases/` must only have been
    added to, and no environment may run a quarantined image.

    Examples:
    ```sh
    slipway manifests check
    slipway manifests check --json
    ```
    """
    problems: list[str] = []
    environments: dict[str, Environment] = {}
    running: dict[str, str | None] = {}
    state = shelf.state(root)
    for name in tree.ENVIRONMENTS:
        proposed, rendered = _read(root, "next", name), _read(root, "rendered", name)
        environment, found = manifests.examine(tree.objects(proposed))
        problems += [f"k8s/next/{name}: {problem}" for problem in found]
        known = releases.running(state.releases, state.stable, name)
        problems += tree.faults(name, proposed, rendered, known, _promoted(state, name))
        environments |= {name: environment} if environment else {}
        running[name] = tree.image_of(rendered) if rendered else None
    if len(environments) == len(tree.ENVIRONMENTS):
        objects = tree.objects(files.read_texts(root / "argocd", "*.yaml"))
        problems += [f"argocd: {problem}" for problem in delivery.check(objects, environments)]
        problems += policy.faults(root)
    taken_back = guarded.problems(root)
    if problems or taken_back:
        remedies = ["Mend the sources, then `slipway manifests render`."] if problems else []
        remedies += ["Only verbs write there: git checkout origin/main -- releases k8s/rendered"] if taken_back else []
        raise Rejected("\n".join(problems + taken_back), " ".join(remedies))
    _emit(running, as_json=as_json)


def render(root: Root = Path(), *, as_json: Json = False) -> None:
    """Render k8s/next from the sources, and k8s/rendered/staging, if anything runs there, with the image it runs.

    Needs kustomize on PATH (or in $KUSTOMIZE). Production is left alone: only a release changes it.

    Examples:
    ```sh
    slipway manifests render
    ```
    """
    running: dict[str, str | None] = {}
    for name in tree.ENVIRONMENTS:
        proposed, rendered = kustomize.build(root / "k8s" / "overlays" / name), _read(root, "rendered", name)
        files.write_texts(root / "k8s" / "next" / name, proposed)
        running[name] = tree.image_of(rendered) if rendered else None
        if name == tree.FOLLOWING and rendered:
            files.write_texts(root / "k8s" / "rendered" / name, tree.followed(proposed, rendered))
    _emit(running, as_json=as_json)


def _read(root: Path, folder: str, name: str) -> dict[str, str]:
    return files.read_texts(root / "k8s" / folder / name, "*.yaml")


def _promoted(state: State, name: str) -> set[str]:
    """Digests of the images that were ever promoted in an environment."""
    return {
        release.package.image_digest
        for release in state.releases.values()
        if any(event.kind == "promoted" and event.environment == name for event in release.events)
    }


def _emit(running: dict[str, str | None], *, as_json: bool) -> None:
    lines = "\n".join(f"{name:<12}{image or 'nothing released yet'}" for name, image in running.items())
    emit(ManifestImages(running=running), lines, as_json=as_json)
