"""The shipped manifests as plain objects, and a way to change them in one place."""

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from slipway.adapters import files
from slipway.manifests import tree

ROOT = Path(__file__).parents[2]
ABSENT = object()
Objects = list[dict[str, Any]]
Change = Callable[[Objects, str, str, Any], Objects]


@pytest.fixture(scope="session")
def root() -> Path:
    """The repository."""
    return ROOT


@pytest.fixture(scope="session")
def absent() -> object:
    """Given to `change` as a value, it removes the field."""
    return ABSENT


@pytest.fixture(scope="session")
def production() -> Objects:
    """What the sources render to for production."""
    return tree.objects(files.read_texts(ROOT / "k8s/next/production", "*.yaml"))


@pytest.fixture(scope="session")
def with_components(production: Objects) -> Objects:
    """The same with both components switched on, as their kustomizations say."""
    every = copy.deepcopy(production)
    for name in ("hpa/hpa.yaml", "servicemonitor/servicemonitor.yaml"):
        component = yaml.safe_load((ROOT / "k8s/components" / name).read_text())
        component["metadata"]["namespace"] = "flights-production"
        every.append(component)
    del next(each for each in every if each["kind"] == "Rollout")["spec"]["replicas"]
    return every


@pytest.fixture(scope="session")
def argocd() -> Objects:
    """What stands in argocd/."""
    return tree.objects(files.read_texts(ROOT / "argocd", "*.yaml"))


@pytest.fixture(scope="session")
def change() -> Change:
    """A function that copies objects and sets one field: (objects, "Kind/name", "dotted.path", value)."""
    return _change


def _change(objects: Objects, label: str, path: str, value: Any) -> Objects:
    changed = copy.deepcopy(objects)
    (place,) = (each for each in changed if f"{each['kind']}/{each['metadata']['name']}" == label)
    *parents, last = (int(part) if part.isdigit() else part.replace("~", ".") for part in path.split("."))
    for part in parents:
        place = place[part]
    if value is ABSENT:
        del place[last]
    elif isinstance(place, list) and last == len(place):
        place.append(value)
    else:
        place[last] = value
    return changed
