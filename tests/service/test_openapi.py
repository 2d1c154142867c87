"""The OpenAPI document is a right one, says what the service does, and the service keeps to it."""

import json
from typing import Any

import pytest
import requests
import yaml
from fastapi.openapi.models import OpenAPI
from hypothesis import given
from jsonschema import Draft202012Validator
from jsonschema.validators import validator_for

import openapi
from contract import Refused, decode

from .conftest import FLIGHT
from .test_contract import FLIGHTS, GENEROUS, NAMES, SCALARS

DOCUMENT = openapi.document()
SCHEMAS = DOCUMENT["components"]["schemas"]


def schema(name: str) -> Draft202012Validator:
    """Validator of a component of the document."""
    return Draft202012Validator({"$ref": f"#/components/schemas/{name}", "components": DOCUMENT["components"]})


def test_it_is_served_where_bentoml_would_and_baked_into_the_bento(service: str, built: Any) -> None:
    """/openapi.json and /docs.json are the document, and so is apis/openapi.yaml of the bento."""
    for path in ("/openapi.json", "/docs.json"):
        assert requests.get(service + path, timeout=30).json() == DOCUMENT
    assert yaml.safe_load((built / "apis/openapi.yaml").read_text()) == DOCUMENT


def test_it_is_a_valid_document() -> None:
    """It parses as OpenAPI 3.1, each schema is a valid JSON Schema, and each reference leads somewhere."""
    OpenAPI.model_validate(DOCUMENT)
    for component in SCHEMAS.values():
        assert validator_for(component, Draft202012Validator) is Draft202012Validator
        Draft202012Validator.check_schema(component)
    references = [part.split('"')[0] for part in json.dumps(DOCUMENT).split('"$ref": "')[1:]]
    assert references
    assert {reference.removeprefix("#/components/schemas/") for reference in references} <= SCHEMAS.keys()


def test_every_documented_path_answers_as_documented(service: str) -> None:
    """Each GET answers 200 with the documented type; each documented status is among those that the tests provoke."""
    for path, item in DOCUMENT["paths"].items():
        if "get" in item:
            answer = requests.get(service + path, timeout=30)
            assert answer.status_code == 200, path
            content = item["get"]["responses"]["200"].get("content")
            assert not content or answer.headers["content-type"] in content


def test_answers_fit_their_schemas(service: str) -> None:
    """A prediction is a Prediction, a refusal is a Problem."""
    schema("Prediction").validate(requests.post(f"{service}/predict", json=FLIGHT, timeout=30).json())
    for body in (FLIGHT | {"carrier": "ZZ"}, [FLIGHT | {"temp": 999}], [], FLIGHT | {"date": 3}, {"x": 1}):
        schema("Problem").validate(requests.post(f"{service}/predict", json=body, timeout=30).json())


@pytest.mark.parametrize("name", sorted(SCHEMAS["Flight"]["properties"]))
def test_each_documented_limit_is_the_one_enforced(name: str) -> None:
    """At a limit a value is taken, beyond it refused; each listed choice is taken; null only if it may be."""
    limits = SCHEMAS["Flight"]["properties"][name]
    inside = [*limits.get("enum", ()), *(limits[edge] for edge in ("minimum", "maximum") if edge in limits)]
    outside = [limits[edge] + step for edge, step in (("minimum", -1), ("maximum", 1)) if edge in limits] + ["?", {}]
    (inside if "null" in limits["type"] else outside).append(None)
    assert [value for value in inside if not taken(FLIGHT | {name: value})] == []
    assert [value for value in outside if taken(FLIGHT | {name: value})] == []
    without = {key: value for key, value in FLIGHT.items() if key != name}
    assert taken(without) == (name not in SCHEMAS["Flight"]["required"])


@GENEROUS
@given(FLIGHTS, NAMES, SCALARS)
def test_what_the_document_refuses_is_refused(flight: dict[str, Any], name: str, value: Any) -> None:
    """A flight that does not fit the documented schema is never taken; one that fits is, but for times and days."""
    changed = json.loads(json.dumps(flight | {name: value}))
    if not schema("Flight").is_valid(changed):
        assert not taken(changed)
    elif name not in ("date", "sched_dep_time"):
        assert taken(changed)


def taken(flight: dict[str, Any]) -> bool:
    """Whether the decoder takes a flight."""
    try:
        decode(json.dumps(flight).encode())
    except Refused:
        return False
    return True
