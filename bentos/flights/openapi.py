"""The OpenAPI document of the hot routes, made from the contract. BentoML's own document does not know them."""

from typing import Any

from contract import EXPECTED, FIELDS, MAX_BYTES, MAX_ID, MAX_ROWS, RESULTS
from slipway import schema
from slipway.schema import Column, Kind

SHAPES: dict[Kind, Any] = {
    Kind.CATEGORY: lambda column: {"type": "string", "enum": list(column.choices)},
    Kind.CLOCK: lambda _: {"type": "integer", "minimum": 0, "maximum": 2359},
    Kind.DATE: lambda _: {"type": "string", "format": "date"},
    Kind.NUMBER: lambda column: {"type": "number", "minimum": column.low, "maximum": column.high},
    Kind.TEXT: lambda _: {"type": "string", "maxLength": 64},
}
BODY_PROBLEMS = {
    "400": "The body is not valid JSON",
    "405": "Not a POST",
    "408": "The body did not arrive in time",
    "413": f"The body is larger than {MAX_BYTES} bytes",
    "415": "The content type is not application/json",
}
PREDICT_PROBLEMS = BODY_PROBLEMS | {
    "422": f"A field is missing, unknown or wrong, or there are not 1 to {MAX_ROWS} flights",
    "503": "Not ready: not the model that the bento was made for, or no room to keep a prediction; or too busy",
}
FEEDBACK_PROBLEMS = BODY_PROBLEMS | {
    "401": "No credential that is accepted",
    "503": "The ledger does not answer, or there is none: nothing is stored, the same may be sent again",
}
RECEIPTS = {
    "200": "Taken, and stored for good; `same` if it was there already",
    "403": "The id was not made here: signed with an unknown key, forged, or of another environment",
    "409": "Another truth of this prediction was told before, and stays",
    "422": "This is no id, or one from a clock that is ahead; or the body is not a truth (then a Problem)",
}


def document() -> dict[str, Any]:
    """Build the document, OpenAPI 3.1."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": schema.QUESTION,
            "version": str(schema.VERSION),
            "description": f"Probability that {schema.LATE}.",
        },
        "paths": {
            "/predict": {"post": _predict()},
            "/feedback": {"post": _feedback()},
            "/choices": {
                "get": _get("Fields of a flight and what may be chosen", {"type": "array", "items": {"type": "object"}})
            },
            "/version": {"get": _get("Where the served model comes from", {"type": "object"}, ready=True)},
            "/livez": {"get": _probe("The process answers")},
            "/healthz": {"get": _probe("The process answers")},
            "/readyz": {"get": _probe("The model is open and is the one that was released", ready=True)},
            "/metrics": {"get": _probe("Metrics, in the text format of Prometheus")},
        },
        "components": {
            "schemas": {
                "Flight": flight(),
                "Prediction": _prediction(),
                "Truth": _truth(),
                "Receipt": _receipt(),
                "Problem": _problem(),
            },
            "securitySchemes": {"feedback": {"type": "http", "scheme": "bearer"}},
        },
    }


def flight() -> dict[str, Any]:
    """JSON Schema of one flight."""
    return {
        "type": "object",
        "additionalProperties": False,
        "required": [column.name for column in FIELDS if column.required],
        "properties": {column.name: _property(column) for column in FIELDS},
    }


def _property(column: Column) -> dict[str, Any]:
    shape: dict[str, Any] = SHAPES[column.kind](column)
    if not column.required:
        shape["type"] = [shape["type"], "null"]
        if "enum" in shape:
            shape["enum"].append(None)
    return shape | {"description": f"{column.about}; {EXPECTED[column.kind](column)}"}


def _prediction() -> dict[str, Any]:
    properties = {
        "probability": {"type": "number", "minimum": 0, "maximum": 1, "description": "of arriving late"},
        "late": {
            "type": "boolean",
            "description": "the decision: the probability is at or above the model's threshold",
        },
        "version": {"type": "string", "description": "the release that answered"},
        "model": {"type": "string", "description": "first digits of the model's digest"},
    }
    signed = {"id": {"type": "string", "description": "to send the truth with; absent where no ledger is configured"}}
    return {"type": "object", "required": list(properties), "properties": properties | signed}


def _truth() -> dict[str, Any]:
    return {
        "type": "object",
        "additionalProperties": False,
        "required": ["id", "late"],
        "properties": {
            "id": {"type": "string", "maxLength": MAX_ID, "description": "of the prediction"},
            "late": {"type": "boolean", "description": f"the truth: {schema.LATE}"},
            "rating": {"type": ["integer", "null"], "minimum": 1, "maximum": 5, "description": "how useful it was"},
        },
    }


def _receipt() -> dict[str, Any]:
    properties = {
        "id": {"type": "string"},
        "status": {"type": "integer", "enum": [int(status) for status in RECEIPTS]},
        "result": {"type": "string", "enum": list(RESULTS)},
        "error": {"type": "string", "description": "why it was not taken"},
    }
    return {"type": "object", "required": ["id", "status", "result"], "properties": properties}


def _problem() -> dict[str, Any]:
    properties = {
        "status": {"type": "integer"},
        "reason": {"type": "string", "description": "one of few words"},
        "error": {"type": "string", "description": "what is wrong, in a sentence"},
        "field": {"type": "string"},
        "row": {"type": "integer", "minimum": 0, "description": "in a request with many flights, from 0"},
        "allowed": {"description": "what is allowed instead", "type": ["string", "array"], "items": {"type": "string"}},
    }
    return {"type": "object", "required": ["status", "reason", "error"], "properties": properties}


def _predict() -> dict[str, Any]:
    return {
        "operationId": "predict",
        "summary": f"Predict one flight, or 1 to {MAX_ROWS}; an array is answered by an array in the same order",
        "requestBody": {"required": True, "content": {"application/json": {"schema": _one_or_many("Flight")}}},
        "responses": {"200": _json("One prediction per flight", _one_or_many("Prediction"))}
        | {status: _refusal(why) for status, why in PREDICT_PROBLEMS.items()},
    }


def _feedback() -> dict[str, Any]:
    one = {"$ref": "#/components/schemas/Receipt"}
    either = {"oneOf": [one, {"$ref": "#/components/schemas/Problem"}]}
    mixed = "Many, and not all taken: each receipt has its own status, and those of 200 are stored"
    return {
        "operationId": "feedback",
        "summary": f"Tell the truth about one prediction, or 1 to {MAX_ROWS}; the first one told stays",
        "security": [{"feedback": []}],
        "requestBody": {"required": True, "content": {"application/json": {"schema": _one_or_many("Truth")}}},
        "responses": {status: _json(why, either if status == "422" else one) for status, why in RECEIPTS.items()}
        | {"200": _json(RECEIPTS["200"], _one_or_many("Receipt"))}
        | {"207": _json(mixed, {"type": "array", "items": one})}
        | {status: _refusal(why) for status, why in FEEDBACK_PROBLEMS.items()},
    }


def _one_or_many(name: str) -> dict[str, Any]:
    one = {"$ref": f"#/components/schemas/{name}"}
    return {"oneOf": [one, {"type": "array", "items": one, "minItems": 1, "maxItems": MAX_ROWS}]}


def _get(what: str, shape: dict[str, Any], *, ready: bool = False) -> dict[str, Any]:
    return {"summary": what, "responses": {"200": _json(what, shape)} | (_unready() if ready else {})}


def _probe(what: str, *, ready: bool = False) -> dict[str, Any]:
    return {"summary": what, "responses": {"200": {"description": what}} | (_unready() if ready else {})}


def _unready() -> dict[str, Any]:
    return {"503": _refusal("Not ready")}


def _refusal(why: str) -> dict[str, Any]:
    return _json(why, {"$ref": "#/components/schemas/Problem"})


def _json(what: str, shape: dict[str, Any]) -> dict[str, Any]:
    return {"description": what, "content": {"application/json": {"schema": shape}}}
