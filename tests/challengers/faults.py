"""What a bad release does wrong, each as a wrapper of the service's application. A copy of this file is in its bento.

A fault depends on the request's bytes, or on how many there were: the same requests, the same faults.
"""

import asyncio
import json
import os
import signal
from collections.abc import Awaitable, Callable
from hashlib import blake2b
from typing import Any

Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Asgi = Callable[[Message, Receive, Send], Awaitable[None]]
Wrap = Callable[[Asgi], Asgi]
Problem = tuple[int, str]
Fault = Callable[[bytes], Awaitable[Problem | None]]  # is asked before the service; a problem is the answer


def paced(least: float, most: float) -> Wrap:
    """Take seconds, as a service that asks another one; how many, the body says."""

    async def fault(body: bytes) -> None:
        await asyncio.sleep(least + (most - least) * _share(body))

    return _around(fault)


def failing(share: float) -> Wrap:
    """Fail for a share of the bodies: the same body fails each time."""

    async def fault(body: bytes) -> Problem | None:
        return (500, "division by zero") if _share(body) < share else None

    return _around(fault)


def demanding(field: str) -> Wrap:
    """Refuse what lacks an optional field: a new contract that no caller was told of."""

    async def fault(body: bytes) -> Problem | None:
        return None if field in json.loads(body) else (422, f"{field} is required")

    return _around(fault)


def crashing(after: int) -> Wrap:
    """Die in the middle of every so-many-th request that a process gets, as by a segmentation fault."""
    requests = 0

    async def fault(_body: bytes) -> None:
        nonlocal requests
        requests += 1
        if requests == after:
            os.kill(os.getpid(), signal.SIGKILL)

    return _around(fault)


def withdrawing(after: int) -> Wrap:
    """Answer so many requests, and then, to whoever asks, that it is not ready. It never is again."""
    requests = 0

    async def fault(_body: bytes) -> None:
        nonlocal requests
        requests += 1

    def wrap(application: Asgi) -> Asgi:
        counting = _around(fault)(application)

        async def wrapped(scope: Message, receive: Receive, send: Send) -> None:
            if scope.get("path") == "/readyz" and requests >= after:
                await _answer(send, (503, "out of connections"))
            else:
                await counting(scope, receive, send)

        return wrapped

    return wrap


def opposite(carrier: str) -> Wrap:
    """Take late for punctual and punctual for late, for one carrier's flights."""
    from predictor import Predictor  # the bento's

    score = Predictor.score

    def wrong(self: Predictor, flights: Any) -> list[float]:  # the bento's own type
        scores = score(self, flights)
        return [1 - p if flight.carrier == carrier else p for flight, p in zip(flights, scores, strict=True)]

    Predictor.score = wrong
    return lambda application: application


def _around(fault: Fault) -> Wrap:
    """Let a fault see each prediction before the service does; everything else passes by."""

    def wrap(application: Asgi) -> Asgi:
        async def wrapped(scope: Message, receive: Receive, send: Send) -> None:
            if scope["type"] != "http" or scope["path"] != "/predict":
                await application(scope, receive, send)
                return
            messages = [await receive()]
            while messages[-1].get("more_body"):
                messages.append(await receive())
            if problem := await fault(b"".join(message.get("body", b"") for message in messages)):
                await _answer(send, problem)
                return
            waiting = iter(messages)

            async def again() -> Message:
                return next(waiting, None) or await receive()

            await application(scope, again, send)

        return wrapped

    return wrap


async def _answer(send: Send, problem: Problem) -> None:
    status, why = problem
    body = json.dumps({"error": why}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _share(body: bytes) -> float:
    """A body's place between 0 and 1."""
    return int.from_bytes(blake2b(body, digest_size=8).digest(), "big") / 2**64
