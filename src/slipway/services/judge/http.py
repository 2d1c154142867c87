"""The judge over HTTP: the Prometheus query API for the analysis, and JSON for people.

Doubt is an answer, 0: an HTTP error would be counted against the canary. Only a question that cannot be read is one.
"""

import logging
import time
from collections.abc import Mapping
from typing import Annotated
from urllib.parse import parse_qs

import msgspec
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import QueryParams
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from slipway import records
from slipway.canary import planning, query, settings
from slipway.canary.query import Question
from slipway.canary.records import Verdict
from slipway.errors import Broken, Rejected
from slipway.services.judge import Judge, Look
from slipway.services.judge.meters import Meters

MAX_BYTES = 16 << 10  # of a question
ABORTS = {cause: int(answer) for answer, cause in query.CAUSES.items()}


def application(judge: Judge) -> Starlette:
    """Make the service."""
    meters = Meters()

    def look(question: Question, now: float) -> Look:
        found = judge.look(question, now)
        try:
            meters.seen(found, value(found.verdict))
        except Exception:  # whoever counts must not come between the verdict and who asked for it
            logging.getLogger(__name__).exception("a look was not counted")
        return found

    def person(given: Mapping[str, str]) -> tuple[Question, float]:
        now, labels = _time(given), {name: text for name, text in given.items() if name != "time"}
        return judge.complete(labels), now

    async def ask(request: Request) -> Response:
        try:
            given = await _parameters(request)
            question, now = query.parse(given.get("query", "")), _time(given)
        except Rejected as error:
            return _refused(error)
        found = await run_in_threadpool(look, question, now)
        sample = {"metric": _labels(found), "value": [now, str(value(found.verdict))]}
        return _json({"status": "success", "data": {"resultType": "vector", "result": [sample]}})

    async def verdict(request: Request) -> Response:
        try:
            question, now = await run_in_threadpool(person, request.query_params)
        except Rejected as error:
            return _refused(error)
        found = await run_in_threadpool(look, question, now)
        return Response(records.dumps(found.verdict), media_type="application/json")

    async def trace(request: Request) -> Response:
        try:
            question, now = await run_in_threadpool(person, request.query_params)
            found = await run_in_threadpool(judge.trace, question, now)
        except Rejected as error:
            return _refused(error)
        except Broken as error:
            return _json({"status": "error", "errorType": "not_found", "error": error.what}, 404)
        return Response(records.dumps(found), media_type="application/json")

    async def plan(request: Request) -> Response:
        try:
            found = await run_in_threadpool(_plan, judge, request.query_params)
        except Rejected as error:
            return _refused(error)
        return Response(records.dumps(found), media_type="application/json")

    async def metrics(_: Request) -> Response:
        return Response(meters.text(), media_type=CONTENT_TYPE_LATEST)

    async def alive(_: Request) -> Response:
        return PlainTextResponse("ok\n")

    return Starlette(
        routes=[
            Route("/api/v1/query", ask, methods=["GET", "POST"]),
            Route("/verdict", verdict),
            Route("/trace", trace),
            Route("/plan", plan),
            Route("/metrics", metrics),
            Route("/healthz", alive),
        ]
    )


def value(verdict: Verdict) -> int:
    """Translate a verdict for the analysis: 1 promotes, below 0 aborts, 0 asks again."""
    if verdict.verdict == "abort":
        return ABORTS[verdict.cause or "verdict"]
    return int(verdict.verdict == "promote")


def _labels(found: Look) -> dict[str, str]:
    verdict = found.verdict
    return {
        "__name__": "verdict",
        "namespace": found.question.namespace,
        "rollout": found.question.rollout,
        "verdict": verdict.verdict,
        **({"cause": verdict.cause} if verdict.cause else {}),
    }


class _Traffic(msgspec.Struct):
    rps: Annotated[float, msgspec.Meta(ge=1e-4, le=1e9)]
    weight: Annotated[list[Annotated[float, msgspec.Meta(ge=1e-4, lt=1)]], msgspec.Meta(min_length=1, max_length=50)]


def _plan(judge: Judge, given: QueryParams) -> msgspec.Struct:
    """Say what a verdict needs of so many requests a second, at these weights."""
    try:
        raw = {"rps": given.get("rps"), "weight": given.getlist("weight")}
        traffic = msgspec.convert(raw, _Traffic, strict=False)
    except msgspec.ValidationError as error:
        raise Rejected(
            f"no traffic to plan for: {error}", "Ask /plan?rps=20&weight=0.1&weight=0.3&maturity=6h"
        ) from None
    timing = query.timing(given)
    return planning.plan(settings.asked(judge.policy, timing), timing, traffic.weight, traffic.rps)


async def _parameters(request: Request) -> dict[str, str]:
    """Read the parameters of the address, and of the form in a POST."""
    body = bytearray()
    try:
        async for part in request.stream():
            body += part
            if len(body) > MAX_BYTES:
                raise Rejected(f"the question has more than {MAX_BYTES} bytes", query.REMEDY)
    except ClientDisconnect:
        raise Rejected("the question ends in its middle", query.REMEDY) from None  # heard by nobody
    try:
        form = parse_qs(body.decode(), max_num_fields=20)
    except ValueError:
        raise Rejected("the form of the question cannot be read", query.REMEDY) from None
    return {**request.query_params, **{name: values[-1] for name, values in form.items()}}


def _time(given: Mapping[str, str]) -> float:
    """When to look: the analysis says; without it, now."""
    return query.instant(given["time"]) if "time" in given else time.time()


def _refused(error: Rejected) -> Response:
    return _json({"status": "error", "errorType": "bad_data", "error": f"{error.what}. {error.remedy}"}, 400)


def _json(content: object, status: int = 200) -> Response:
    return Response(msgspec.json.encode(content), status, media_type="application/json")
