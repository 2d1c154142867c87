"""CycloneDX: whether a document has the form that its specification asks for, by the schema inside the library.

The library's own model of a document knows no modelCard and would drop it, so documents are only ever held against the
schema, never read and written again. No network.
"""

from typing import Any

from slipway.errors import Rejected

MOST = 3  # problems that are named


def validate(text: str, origin: str) -> None:
    """See that a JSON text is CycloneDX 1.6, with no field that the schema does not know.

    Raises:
        Rejected: it is not; says where.

    """
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    try:
        problems = [*(JsonStrictValidator(SchemaVersion.V1_6).validate_str(text, all_errors=True) or ())]
    except (ValueError, RecursionError) as error:
        raise Rejected(f"{origin} is no JSON: {error}", "Run `slipway package` again.") from error
    if problems:
        deepest = [_deepest(problem.data) for problem in problems[:MOST]]
        named = [f"{problem.json_path}: {problem.message[:200]}" for problem in deepest]
        raise Rejected(f"{origin} is no valid CycloneDX 1.6: {'; '.join(named)}", "Mend what it names.")


def _deepest(problem: Any) -> Any:  # noqa: ANN401  # of jsonschema, which has no types
    """Where several forms are allowed, and none fits: what is wrong with the one that fits best."""
    while problem.context:
        problem = max(problem.context, key=lambda each: len(each.absolute_path))
    return problem
