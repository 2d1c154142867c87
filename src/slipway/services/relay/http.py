"""The relay over HTTP: a webhook that is stored before it is answered, and nothing else done meanwhile."""

import hmac
import logging
import time
from collections.abc import Callable
from typing import Annotated

import msgspec
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from slipway.adapters.outbox import Outbox
from slipway.errors import SlipwayError
from slipway.rollout.relay import LONGEST_TURN
from slipway.services.relay.meters import Meters

MAX_BYTES = 4 << 10
Name = Annotated[str, msgspec.Meta(pattern=r"\A[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?\Z")]


class Ended(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The body that argocd/notifications.yaml sends. Nothing of it is believed: it says where to look."""

    namespace: Name
    rollout: Name
    image: Annotated[str, msgspec.Meta(max_length=1024)]


def application(outbox: Outbox, token: Callable[[], str], wake: Callable[[], None], meters: Meters) -> Starlette:
    """Make the service; `token` is read at each call, so that it can be exchanged."""

    def answer(status: int, said: str, counted: str) -> Response:
        meters.heard(counted)
        return PlainTextResponse(f"{said}\n", status)

    def store(ended: Ended) -> None:
        outbox.hint(ended.namespace, ended.rollout)
        wake()

    async def rollouts(request: Request) -> Response:
        given = request.headers.get("authorization", "").encode("latin-1")
        try:
            wanted = f"Bearer {await run_in_threadpool(token)}".encode()
            if not hmac.compare_digest(given, wanted):
                return answer(401, "the token is not the relay's", "unauthorized")
            body = bytearray()
            async for part in request.stream():
                body += part
                if len(body) > MAX_BYTES:
                    return answer(413, f"more than {MAX_BYTES} bytes", "refused")
            await run_in_threadpool(store, msgspec.json.decode(bytes(body), type=Ended))
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            return answer(400, f"not what argocd/notifications.yaml sends: {error}", "refused")
        except ClientDisconnect:
            return answer(400, "it ends in its middle", "refused")  # heard by nobody
        except SlipwayError as error:
            logging.getLogger(__name__).warning("a webhook was not stored: %s", error.what)
            return answer(503, "not stored: send it again", "broken")
        return answer(202, "stored", "stored")

    async def metrics(_: Request) -> Response:
        return Response(meters.text(), media_type=CONTENT_TYPE_LATEST)

    async def alive(_: Request) -> Response:
        stuck = meters.last_turn and time.time() - meters.last_turn > LONGEST_TURN
        return PlainTextResponse("stuck\n" if stuck else "ok\n", 503 if stuck else 200)

    return Starlette(
        routes=[
            Route("/rollouts", rollouts, methods=["POST"]),
            Route("/metrics", metrics),
            Route("/healthz", alive),
        ]
    )
