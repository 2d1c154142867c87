"""Bodies of requests, within limits: bytes, seconds, and how many are waited for."""

import asyncio
import types
from collections.abc import Awaitable, Callable, Coroutine, Generator, MutableMapping
from typing import Any

from contract import MAX_BYTES, Problem, Refused

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]

BODY_SECONDS = 10.0
MAX_DROPPED = 16 << 20  # bytes; a larger body is refused by its length, unread
MAX_WAITING = 100  # requests whose body has not arrived; the rest costs no memory, as it is answered without a pause


class Gone(Exception):
    """The client hung up before its body was here: nobody waits for an answer."""


class Bodies:
    """Reads bodies, and knows how many have not arrived."""

    def __init__(self) -> None:
        self._waiting = 0

    async def read(self, receive: Receive) -> bytes:
        """Read the body of one request.

        Raises:
            Refused: it is too large or too late, or too many others are waited for.
            Gone: nobody waits for the answer.

        """
        reading = _read(receive)
        try:
            pause = reading.send(None)
        except StopIteration as done:  # it came with its head, as most do: no clock is set, no place taken
            return bytes(done.value)
        if self._waiting >= MAX_WAITING:
            reading.close()
            raise Refused(Problem(503, "busy", f"{MAX_WAITING} requests are waiting for their bodies; try again soon."))
        self._waiting += 1
        try:
            async with asyncio.timeout(BODY_SECONDS):
                return bytes(await _resumed(reading, pause))
        except TimeoutError:
            raise Refused(Problem(408, "body", f"The body did not arrive within {BODY_SECONDS:g} seconds.")) from None
        finally:
            self._waiting -= 1
            reading.close()


def wrong_method(right: str) -> Problem:
    """Say which method is right."""
    return Problem(405, "method", f"This path answers {right} only.", allowed=right)


def check_head(scope: Message) -> None:
    """Refuse, before a body is read, what could not be answered.

    Raises:
        Refused: the method, the content type or the announced length is wrong.

    """
    if scope["method"] != "POST":
        raise Refused(wrong_method("POST"))
    for name, value in scope["headers"]:
        if name == b"content-type" and value.partition(b";")[0].strip().lower() != b"application/json":
            raise Refused(Problem(415, "media", "Send JSON, with the header content-type: application/json."))
        if name == b"content-length" and int(value) > MAX_DROPPED:
            raise Refused(_too_large())


def _too_large() -> Problem:
    return Problem(413, "size", f"The body is larger than {MAX_BYTES} bytes.")


async def _read(receive: Receive) -> bytes:
    """Read a body. A too large one is dropped as it comes: most clients listen only when they have sent it all."""
    parts, size, more = [], 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Gone
        part = message.get("body", b"")
        size += len(part)
        if size <= MAX_BYTES:
            parts.append(part)
        more = message.get("more_body", False) and size <= MAX_DROPPED
    if size > MAX_BYTES:
        raise Refused(_too_large())
    return b"".join(parts)


@types.coroutine
def _resumed(started: Coroutine[Any, None, bytes], pause: Any) -> Generator[Any, None, Any]:  # noqa: ANN401  # the loop's
    """Go on with a coroutine that has been run up to its first pause."""
    yield pause
    return (yield from started)
