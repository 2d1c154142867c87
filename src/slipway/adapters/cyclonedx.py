"""CycloneDX: whether a document has the form that its specification asks for, by the schema inside the library.

The library's own model of a document knows no modelCard and would drop it, so documents are only ever held against the
schema, never read and written again. No network.
"""

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
        named = [f"{problem.data.json_path}: {problem.data.message[:200]}" for problem in problems[:MOST]]
        raise Rejected(f"{origin} is no valid CycloneDX 1.6: {'; '.join(named)}", "Mend what it names.")
