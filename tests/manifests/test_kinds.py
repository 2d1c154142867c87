"""The types are shut: no field can be added anywhere, and none that matters can be left out."""

from collections.abc import Iterator
from typing import Any

from slipway.manifests import kinds

FREE = {("labels",), ("annotations",), ("matchLabels",), ("data",)}  # maps whose keys are the user's
SERVICE_SELECTOR = ("Service", "spec", "selector")  # and this one
OPTIONAL = {"labels", "annotations", "replicas", "value", "setWeight", "analysis"}
OPTIONAL |= {"valueFrom", "emptyDir", "secret", "readOnly"}  # the rules ask for them where they are needed


def _maps(each: Any) -> Iterator[tuple[tuple[str | int, ...], dict[str, Any]]]:
    todo: list[tuple[tuple[str | int, ...], Any]] = [((), each)]
    while todo:
        path, value = todo.pop()
        if isinstance(value, list):
            todo += [((*path, index), item) for index, item in enumerate(value)]
        elif isinstance(value, dict) and path[-1:] not in FREE and (each["kind"], *path) != SERVICE_SELECTOR:
            todo += [((*path, key), item) for key, item in value.items()]
            yield path, value


def _refusal(plain: Any) -> str:
    try:
        kinds.decode(plain)
    except ValueError as error:
        return str(error)
    return ""


def test_shipped_objects_fit_their_types(with_components: Any, argocd: Any) -> None:
    """Every object that is shipped, components and Argo CD's own too, has a type, and every type is used."""
    every = [*with_components, *argocd]
    assert {_refusal(each) for each in every} == {""}
    assert {type(kinds.decode(each)) for each in every} == set(kinds.KINDS.values())


def test_no_field_can_be_added_anywhere(with_components: Any, argocd: Any) -> None:
    """An unknown field is refused by name in every map of every object: 100 and more places."""
    places = 0
    for each in (*with_components, *argocd):
        for path, place in _maps(each):
            place["surprise"] = 1
            assert "surprise" in _refusal(each), (each["kind"], path)
            del place["surprise"]
            places += 1
    assert places > 100


def test_no_field_can_be_left_out(with_components: Any, argocd: Any) -> None:
    """Whatever the shipped objects say must be said: a field that is taken out is missed by name."""
    for each in (*with_components, *argocd):
        for path, place in _maps(each):
            for key in place.keys() - OPTIONAL:
                value = place.pop(key)
                assert key in _refusal(each), (each["kind"], path, key)
                place[key] = value
