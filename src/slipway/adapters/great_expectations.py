"""Great Expectations: evaluates checks on one table in memory. It takes seconds to import: only `validate` does so."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any

from slipway.rules import Check, Failure

if TYPE_CHECKING:
    import pandas as pd

SHOWN = 3  # rows of a failure
_FORMAT = {"result_format": "BASIC", "partial_unexpected_count": SHOWN, "include_unexpected_rows": True}


def failures(
    frame: "pd.DataFrame", where: str, checks: Sequence[Check], identity: tuple[str, ...]
) -> Iterator[Failure]:
    """Yield the checks that do not hold; `identity` are the columns by which a person finds a row again.

    All are first answered by yes or no, as one suite: rows and counts, which cost more, are asked for only at a no.
    """
    with _without("rfc3987_syntax"):  # its grammars of IRIs take as long as all tables; a chart's schema asks for them
        import great_expectations as gx
        import great_expectations.expectations as library

    asked = [
        getattr(library, check.expectation)(**check.arguments, meta={"check": n}) for n, check in enumerate(checks)
    ]
    batch = _definition().get_batch({"dataframe": frame})
    answers = batch.validate(gx.ExpectationSuite(name="checks", expectations=asked), result_format="BOOLEAN_ONLY")
    for number in sorted(answer.expectation_config.meta["check"] for answer in answers.results if not answer.success):
        result = batch.validate(asked[number], result_format=_FORMAT)
        yield _failure(frame, where, checks[number], result, identity)


@contextmanager
def _without(module: str) -> Iterator[None]:
    """Have a module not be there for whoever imports it meanwhile and can do without, unless it was imported before."""
    if module in sys.modules:
        yield
        return
    sys.modules[module] = None  # type: ignore[assignment]  # by which the import system knows that it is not there
    try:
        yield
    finally:
        del sys.modules[module]


@cache
def _definition() -> Any:  # noqa: ANN401  # the library's own generic type
    """Build the context once: it holds no data, each batch is passed in."""
    import great_expectations as gx
    from great_expectations.data_context.types.base import ProgressBarsConfig

    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    return (
        context.data_sources.add_pandas("memory")
        .add_dataframe_asset("table")
        .add_batch_definition_whole_dataframe("all")
    )


def _failure(frame: "pd.DataFrame", where: str, check: Check, result: Any, identity: tuple[str, ...]) -> Failure:  # noqa: ANN401
    found, columns = result.result, check.columns
    count, observed, shown = len(frame), str(found.get("observed_value", "")), frame.head(0)
    if messages := _exceptions(result.exception_info):
        observed = f"cannot be checked: {messages[0]}"
    elif mismatched := found.get("details", {}).get("mismatched"):
        columns = tuple(name for names in mismatched.values() for name in names)
        count, observed = len(columns), "; ".join(f"{kind}: {', '.join(names)}" for kind, names in mismatched.items())
    elif "unexpected_rows" in found:
        count, shown = found["unexpected_count"], found["unexpected_rows"]
    elif check.rule == "types":
        shown = frame.head(SHOWN)
    names = list(dict.fromkeys((*identity, *columns)))
    rows = tuple(_text(position, row) for position, row in shown.filter(names).to_dict("index").items())
    return Failure(where, check, columns, count, observed, rows)


def _exceptions(info: dict[str, Any]) -> list[str]:
    """Messages of the exceptions in a result; without one, `info` is one flat entry, else one entry per metric."""
    entries = info.values() if "raised_exception" not in info else (info,)
    return [entry["exception_message"] for entry in entries if entry["raised_exception"]]


def _text(position: object, row: dict[Any, Any]) -> str:
    import pandas as pd

    def plain(value: Any) -> str:  # noqa: ANN401  # a cell
        if pd.isna(value):
            return "missing"
        return f"{value:%Y-%m-%d}" if isinstance(value, pd.Timestamp) else str(value)

    return f"row {position}: " + " ".join(f"{name}={plain(value)}" for name, value in row.items())
