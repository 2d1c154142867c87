"""`slipway policy`: what a cluster asks for at admission, made from who may sign."""

from pathlib import Path

import msgspec

from slipway import admission, signing
from slipway.adapters import files
from slipway.commands import Json, Root, emit, verifying
from slipway.manifests import tree

FOLDER = verifying.POLICY.parent / "admission"


class Rendered(msgspec.Struct, frozen=True, kw_only=True):
    """What was written."""

    schema_version: int = 1
    files: tuple[str, ...]


def render(root: Root = Path(), *, as_json: Json = False) -> None:
    """Write signing/admission/ from signing/policy.yaml: for Kyverno, and for Sigstore's policy-controller.

    Image and namespaces are those of k8s/next. For a Sigstore of your own, as `root` of the policy, nothing is written.

    Examples:
    ```sh
    slipway policy render
    ```
    """
    made = rendered(root)
    files.write_texts(root / FOLDER, made)
    names = tuple(str(FOLDER / name) for name in made)
    emit(Rendered(files=names), "\n".join(names) or "none: the policy names a Sigstore of your own", as_json=as_json)


def faults(root: Path) -> list[str]:
    """Say whether what is committed for admission is what the policy asks for."""
    if files.read_texts(root / FOLDER, "*.yaml") == rendered(root):
        return []
    return [f"{FOLDER}: is not what {verifying.POLICY} makes of it; run `slipway policy render`"]


def rendered(root: Path) -> dict[str, str]:
    """What the policy of a tree makes of it; nothing where it has none."""
    path = root / verifying.POLICY
    if not path.exists():
        return {}
    asked = signing.parse(files.parse_yaml(files.read_bytes(path), str(path)), str(path))
    trees = [files.read_texts(root / "k8s/next" / name, "*.yaml") for name in tree.ENVIRONMENTS]
    images = sorted({tree.image_of(each).rpartition("@")[0].rpartition(":")[0] for each in trees})
    return admission.render(asked, images, [_namespace(each) for each in trees])


def _namespace(texts: tree.Tree) -> str:
    return next(str(each["metadata"]["namespace"]) for each in tree.objects(texts) if each["kind"] == "Rollout")
