"""`slipway manifests`: render what the cluster shall apply, and refuse what it must not."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from slipway import manifests, releases
from slipway.adapters import files, kustomize
from slipway.changes import State
from slipway.commands import Json, Root, deciding, emit, guarded, policy, shelf
from slipway.errors import Rejected
from slipway.manifests import beside, delivery, tree
from slipway.manifests.environment import Environment
from slipway.records import ManifestImages

UNRESTRICTED = ("--load-restrictor", "LoadRestrictionsNone")  # k8s/platform takes rollouts/judge.yaml, from above it


def check(root: Root = Path(), *, as_json: Json = False) -> None:
    """Hold the rendered manifests, and what Argo CD is told of them, to every rule.

    An environment may run its recorded stable and what is in flight there, with the bento of that release; beside them
    runs k8s/rendered/platform, with the policy that rollouts/judge.yaml is. Against what
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
        problems += _beside(root, objects)
        problems += policy.faults(root)
    taken_back = guarded.problems(root)
    if problems or taken_back:
        remedies = ["Mend the sources, then `slipway manifests render`."] if problems else []
        remedies += ["Only verbs write there: git checkout origin/main -- releases k8s/rendered"] if taken_back else []
        raise Rejected("\n".join(problems + taken_back), " ".join(remedies))
    _emit(running, as_json=as_json)


def render(root: Root = Path(), *, as_json: Json = False) -> None:
    """Render k8s/next from the sources, and k8s/rendered/staging, if anything runs there, with the image it runs.

    What runs beside the services is rendered to k8s/rendered/platform, where a merge changes it. Production is left
    alone: only a release changes it. Needs kustomize on PATH (or in $KUSTOMIZE).

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
    sources, target = root / "k8s" / tree.PLATFORM, root / "k8s" / "rendered" / tree.PLATFORM
    files.write_texts(target, kustomize.build(sources, *UNRESTRICTED))
    _emit(running, as_json=as_json)


def _read(root: Path, folder: str, name: str) -> dict[str, str]:
    return files.read_texts(root / "k8s" / folder / name, "*.yaml")


def _beside(root: Path, argocd: Iterable[dict[str, Any]]) -> list[str]:
    """Say what is wrong with what runs beside the services; it comes from where the environments do."""
    sources = (each["spec"]["source"]["repoURL"] for each in argocd if each.get("kind") == "Application")
    delivered = tree.objects(files.read_texts(root / "argocd" / tree.PLATFORM, "*.yaml"))
    found = beside.check(
        tree.objects(_read(root, "rendered", tree.PLATFORM)),
        files.read_bytes(root / deciding.SETTINGS).decode(errors="replace"),
        delivered,
        next(sources, None),
    )
    return [f"k8s/rendered/{tree.PLATFORM}: {problem}" for problem in found]


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
