"""A folder of rendered manifests as text, {file name: text}: its objects, and the one image that it runs.

`k8s/next/<env>` is what the sources render to, with an image and a bento that do not exist; `k8s/rendered/<env>` is
what runs: the same text with those of a release, or no manifest at all before the first one.
"""

import re
from collections.abc import Container, Iterable, Iterator, Mapping
from typing import Any

import yaml

from slipway.errors import Broken

Tree = Mapping[str, str]

ENVIRONMENTS = ("staging", "production")
PLATFORM = "platform"  # beside them in k8s/rendered: judge, relay and what they need; `beside` has its rules
FOLLOWING = "staging"  # the environment that a merge may change
NO_DIGEST = "sha256:" + 64 * "0"  # the digest of no image and no bento, in k8s/base; it must never be applied
UNRELEASED = f":0.0.0@{NO_DIGEST}"  # ends the reference there
DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
REFERENCE = re.compile(r"[a-z0-9][a-z0-9./_:-]*:(?P<version>\d+\.\d+\.\d+)@(?P<digest>sha256:[0-9a-f]{64})")
ROLLBACK = "slipway.dev/rollback"  # on the Deployment: a person goes back to the image of this digest
BENTO = "SLIPWAY_BENTO"  # tells the service the digest of its own files; it is not ready with others
NEXT = "slipway.dev/next"  # on the Rollout: the environment that what is promoted there goes to
_IMAGE_LINE = re.compile(r"^(\s*(?:- )?image: )(\S+)$", re.MULTILINE)
_BENTO_LINE = re.compile(rf"^(\s*- name: {BENTO}\n\s*value: )(\S+)$", re.MULTILINE)
_DEPLOYMENT = re.compile(r"^kind: Deployment\nmetadata:\n(  annotations:\n(?:    .*\n)+)?", re.MULTILINE)


def parse(text: str, origin: str) -> list[dict[str, Any]]:
    """Read the objects of a YAML text; `origin` names it in an error.

    Raises:
        Broken: it is no YAML, or a document is not an object.

    """
    try:
        documents = [document for document in yaml.safe_load_all(text) if document is not None]
    except yaml.YAMLError as error:
        raise Broken(f"{origin} is no YAML: {error}", "Mend the file, or render it again.") from error
    for document in documents:
        if not isinstance(document, dict):
            raise Broken(f"{origin} holds a document that is no object.", "Mend the file, or render it again.")
    return documents


def objects(tree: Tree) -> list[dict[str, Any]]:
    """Read the objects of a tree, in the order of its file names."""
    return [document for name in sorted(tree) for document in parse(tree[name], name)]


def images(texts: Iterable[str]) -> list[str]:
    """Image references, in order, one for each line that names one."""
    return [match[2] for text in texts for match in _IMAGE_LINE.finditer(text)]


def image_of(tree: Tree) -> str:
    """Name the image that a tree runs, in however many containers.

    Raises:
        Broken: no line names one, or lines name several.

    """
    found = sorted(set(images(tree[name] for name in sorted(tree))))
    if len(found) != 1:
        listed = ", ".join(found) or "there is none"
        what = f"the manifests name {len(found)} images instead of one: {listed}"
        raise Broken(what, "Render them with `slipway manifests render`.")
    return found[0]


def bentos(tree: Tree) -> set[str]:
    """What containers are told that the digest of their bento is; "None" where that is no plain value."""
    return {str(part.get("value")) for each in objects(tree) for part in _parts(each) if part.get("name") == BENTO}


def bento_of(tree: Tree) -> str:
    """Name the digest of the bento that a tree's service expects.

    Raises:
        Broken: it names none, or several.

    """
    found = bentos(tree)
    if len(found) != 1:
        raise Broken(f"the manifests name {len(found)} bentos instead of one", "Release again, or take them back.")
    return found.pop()


def _parts(node: Any) -> Iterator[dict[str, Any]]:  # noqa: ANN401  # whatever the YAML holds
    """Every mapping in an object."""
    if isinstance(node, dict):
        yield node
    for below in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from _parts(below)


def with_image(tree: Tree, reference: str, bento: str) -> dict[str, str]:
    """Copy a tree, its one image replaced by `reference`, written NAME:VERSION@sha256:DIGEST, its bento by `bento`.

    Raises:
        Broken: the tree does not name exactly one image and a bento, or `reference` has no version or no digest, or
            `bento` is no digest.

    """
    image_of(tree)
    if not REFERENCE.fullmatch(reference):
        raise Broken(
            f"{reference!r} is no image by version and digest.", "Write it as NAME:1.2.3@sha256:<64 hex digits>."
        )
    if not DIGEST.fullmatch(bento):
        raise Broken(f"{bento!r} is no digest of a bento.", "Write it as sha256:<64 hex digits>.")
    filled = {name: _IMAGE_LINE.sub(lambda match: match[1] + reference, text) for name, text in tree.items()}
    filled = {name: _BENTO_LINE.sub(lambda match: match[1] + bento, text) for name, text in filled.items()}
    if bentos(filled) != {bento}:
        raise Broken(f"the manifests have no {BENTO} to fill in", "Render them with `slipway manifests render`.")
    return filled


def with_rollback(tree: Tree, digest: str) -> dict[str, str]:
    """Copy a tree, its Deployment saying that a person goes back to the image of `digest`: the judge lets it pass.

    Raises:
        Broken: the tree runs another image, has no Deployment or several, or says so already.

    """
    if not image_of(tree).endswith(f"@{digest}"):
        raise Broken(f"the manifests run {image_of(tree)}, not {digest}", "Go back to the image that they run.")
    if rollbacks(tree):
        raise Broken(f"the manifests carry {ROLLBACK} already", "Take them as their release made them.")
    places = [name for name in sorted(tree) for _ in _DEPLOYMENT.finditer(tree[name])]
    if len(places) != 1:
        raise Broken(f"the manifests hold {len(places)} Deployments", "Render them with `slipway manifests render`.")

    def annotated(found: re.Match[str]) -> str:
        others = found[1] or "  annotations:\n"
        return f"kind: Deployment\nmetadata:\n{others}    {ROLLBACK}: {digest}\n"

    return {name: _DEPLOYMENT.sub(annotated, text) for name, text in tree.items()}


def rollbacks(tree: Tree) -> list[tuple[str, str | None]]:
    """Objects that say that a person goes back, as "Kind/name", and to which digest; None: not where it counts."""
    found = []
    for each in objects(tree):
        metadata, times = each.get("metadata") or {}, yaml.safe_dump(each).count(ROLLBACK)
        digest = (metadata.get("annotations") or {}).get(ROLLBACK)
        if times:
            counts = times == 1 and each.get("kind") == "Deployment"
            found.append((f"{each.get('kind')}/{metadata.get('name')}", digest if counts else None))
    return found


def next_of(tree: Tree) -> str | None:
    """The environment that what is promoted in this one goes to, as its Rollout says, or None."""
    rollouts = (each for each in objects(tree) if each.get("kind") == "Rollout")
    named = ((each.get("metadata") or {}).get("annotations") or {} for each in rollouts)
    return next((each[NEXT] for each in named if NEXT in each), None)


def followed(proposed: Tree, rendered: Tree) -> dict[str, str]:
    """Give `proposed` the image and the bento of `rendered`, and its rollback where nothing else differs.

    What differs is a change that nobody has judged: a rollback must not wave it through.
    """
    fresh = with_image(proposed, image_of(rendered), bento_of(rendered))
    return dict(rendered) if _goes_back(fresh, rendered) else fresh


def faults(
    name: str, proposed: Tree, rendered: Tree, known: Mapping[str, str], promoted: Container[str] = ()
) -> list[str]:
    """Say what is wrong with the trees of environment `name`: `proposed` in k8s/next, `rendered` in k8s/rendered.

    Staging follows the sources with each merge; production is what its last release made of them, and the rules of that
    day held for it. It runs an image that is `known` to belong there now, with the bento of that digest: an older
    release, however well signed, must not come back by hand. A rollback leads to an image whose digest is among those
    that were `promoted` there.
    """
    problems = []
    if not image_of(proposed).endswith(UNRELEASED):
        problems.append(f"k8s/next/{name}: image: must end with {UNRELEASED}; only a release names an image")
    if bentos(proposed) != {NO_DIGEST}:
        problems.append(f"k8s/next/{name}: {BENTO}: must be {NO_DIGEST}; only a release names a bento")
    problems += [f"k8s/next/{name}: {where}: {ROLLBACK}: only a rollback writes it" for where, _ in rollbacks(proposed)]
    if not rendered:
        return problems
    at, image = f"k8s/rendered/{name}", image_of(rendered)
    if image.endswith(UNRELEASED) or not REFERENCE.fullmatch(image):
        return [*problems, f"{at}: image: {image!r} was never released and must not be applied"]
    foreign = [f"{at}: {problem}" for problem in _foreign(image, bentos(rendered), known)]
    problems += foreign
    for where, digest in rollbacks(rendered):
        if digest is None:
            problems.append(f"{at}: {where}: {ROLLBACK}: belongs on the Deployment; elsewhere it outlives its image")
        elif not image.endswith(f"@{digest}"):
            problems.append(f"{at}: {where}: {ROLLBACK}: {digest} is not the image's digest")
        elif digest not in promoted:
            problems.append(f"{at}: {where}: {ROLLBACK}: {digest} was never promoted there, releases/ says")
    if name == FOLLOWING and not foreign and rendered != followed(proposed, rendered):
        problems.append(f"{at}: differs from k8s/next/{name} in more than the image")
    return problems


def _foreign(image: str, told: set[str], known: Mapping[str, str]) -> Iterator[str]:
    """Say why an image, or the bento that its service expects, is not of a release that belongs there now."""
    digest = image.rpartition("@")[2]
    if digest not in known:
        yield f"image: {image} is neither the recorded stable nor in flight there, releases/ says"
    elif told != {known[digest]}:
        yield f"{BENTO}: must be {known[digest]}, the bento of that image, releases/ says"


def _goes_back(fresh: Tree, rendered: Tree) -> bool:
    """Whether `rendered` is `fresh` with a rollback, and nothing else."""
    digest = image_of(rendered).rpartition("@")[2]
    return bool(rollbacks(rendered)) and rendered == with_rollback(fresh, digest)
