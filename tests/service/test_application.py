"""The ASGI application in this process: what a socket cannot show quickly. Its limits, and any input at all."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import bodies
import telemetry
from routes import Application

from .conftest import FLIGHT
from .test_contract import GENEROUS

JSON_HEADER = (b"content-type", b"application/json")
PIECES = st.sampled_from([json.dumps(FLIGHT).encode(), b"[", b"]", b",", b"{}"])
HEADERS = st.sampled_from([b"content-type", b"content-length", b"x"])


async def silent(*_: Any) -> None:
    """BentoML's part, which is not asked here."""


@pytest.fixture(scope="module")
def application(built: Path) -> Application:
    """An application with its model open, as after start-up."""
    made = Application(silent, built / "src")
    asyncio.run(made({"type": "lifespan"}, silent, silent))
    return made


async def call(
    app: Application, *messages: Any, method: str = "POST", path: str = "/predict", headers: Any = (JSON_HEADER,)
) -> tuple[int, Any]:
    """Send a request whose body comes in `messages`; one that is None never comes. Returns status and answer."""
    sent, coming = [], iter(messages)

    async def receive() -> Any:
        message = next(coming)
        if message is None:
            await asyncio.sleep(3600)
        return message

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "path": path, "method": method, "headers": list(headers)}
    await app(scope, receive, send)
    start, body = sent
    assert dict(start["headers"])[b"content-length"] == str(len(body["body"])).encode()
    return start["status"], json.loads(body["body"])


def body(content: bytes, *, more: bool = False) -> dict[str, Any]:
    """A message with a part of a body."""
    return {"type": "http.request", "body": content, "more_body": more}


def test_a_body_that_never_ends_is_given_up(application: Application, monkeypatch: pytest.MonkeyPatch) -> None:
    """408 after the deadline, whether nothing comes or only a part."""
    monkeypatch.setattr(bodies, "BODY_SECONDS", 0.01)
    assert asyncio.run(call(application, None))[0] == 408
    assert asyncio.run(call(application, body(b"{", more=True), None))[0] == 408


def test_too_many_waiting_requests_are_sent_away(application: Application, monkeypatch: pytest.MonkeyPatch) -> None:
    """While the limit of requests wait for their bodies the next that would gets 503; one that is whole is answered."""
    monkeypatch.setattr(bodies, "MAX_WAITING", 2)
    monkeypatch.setattr(bodies, "BODY_SECONDS", 0.2)

    async def crowd() -> list[int]:
        waiting = [asyncio.create_task(call(application, None)) for _ in range(2)]
        await asyncio.sleep(0)
        extra = await call(application, body(b"{", more=True), None)
        whole = await call(application, body(json.dumps(FLIGHT).encode()))
        return [extra[0], whole[0], *[answer[0] for answer in await asyncio.gather(*waiting)]]

    assert asyncio.run(crowd()) == [503, 200, 408, 408]
    assert asyncio.run(call(application, body(b"{", more=True), body(b"}")))[0] == 422


def test_before_start_up_nothing_is_predicted(built: Path) -> None:
    """An application whose model is not open yet answers 503."""
    status, answer = asyncio.run(call(Application(silent, built / "src"), body(json.dumps(FLIGHT).encode())))
    assert (status, answer["error"]) == (503, "The service is starting.")


def test_a_client_that_hangs_up_is_not_counted(application: Application) -> None:
    """A body that breaks off gets no answer, and is no refusal: nobody asked anything."""
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    coming = iter([body(b'{"date"', more=True), {"type": "http.disconnect"}])

    async def receive() -> Any:
        return next(coming)

    counters = [telemetry.requests("/predict", 400), telemetry.rejected("json")]
    before = [counter.collect()[0].samples[0].value for counter in counters]
    scope = {"type": "http", "path": "/predict", "method": "POST", "headers": [JSON_HEADER]}
    asyncio.run(application(scope, receive, send))

    assert sent == []
    assert [counter.collect()[0].samples[0].value for counter in counters] == before


@GENEROUS
@given(
    st.lists(
        st.binary(max_size=40) | st.sampled_from([json.dumps(FLIGHT).encode(), b"[", b"]", b",", b"{}"]), max_size=6
    ),
    st.sampled_from(["POST", "GET", "PUT", "OPTIONS"]),
    st.lists(
        st.tuples(
            st.sampled_from([b"content-type", b"content-length", b"x"]), st.integers(0, 10**30).map(b"%d".__mod__)
        )
    ),
)
def test_no_input_is_answered_by_a_fault(
    application: Application, parts: list[bytes], method: str, headers: Any
) -> None:
    """Whatever bytes, method and headers come: a status of 200 or 4xx, never an exception, never 5xx."""
    messages = [body(part, more=True) for part in parts] + [body(b"")]
    status, answer = asyncio.run(call(application, *messages, method=method, headers=headers))
    assert status == 200 or 400 <= status < 500, answer
