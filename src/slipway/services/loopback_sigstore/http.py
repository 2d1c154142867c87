"""The instance over HTTP, at the paths where the clients look for each service."""

import hmac
from collections.abc import Awaitable, Callable

import msgspec
from cryptography.exceptions import InvalidSignature
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from slipway.errors import Rejected
from slipway.services.loopback_sigstore import tokens
from slipway.services.loopback_sigstore.instance import HERE, Instance

UNREADABLE = (ValueError, KeyError, TypeError, IndexError)  # msgspec's, x509's, asn1crypto's: not what clients send


def application(instance: Instance, name: str | None = None) -> Starlette:
    """Make the service, which may be asked by a `name`, too.

    All of it runs in the event loop: entries are logged one after the other.
    """

    def token(request: Request, _: bytes) -> Response:
        given = request.headers.get("authorization", "").encode("latin-1")
        if not hmac.compare_digest(given, f"bearer {instance.request_token}".encode()):
            raise Rejected("the request token is not this instance's", tokens.REMEDY)
        asked = dict(request.query_params)
        audience = asked.pop("audience", tokens.AUDIENCE)
        return _json({"value": tokens.issue(asked, audience, instance.token_key)})

    def fulcio(request: Request, body: bytes) -> Response:
        given = request.headers.get("authorization", "").removeprefix("Bearer ")
        return _json(instance.certify(given, msgspec.json.decode(body)), 201)

    def rekor_1(_: Request, body: bytes) -> Response:
        return _json(instance.enter(1, msgspec.json.decode(body)), 201)

    def rekor_2(_: Request, body: bytes) -> Response:
        return _json(instance.enter(2, msgspec.json.decode(body)), 201)

    def stamp(_: Request, body: bytes) -> Response:
        return Response(instance.stamped(body), media_type="application/timestamp-reply")

    return Starlette(
        routes=[
            Route("/token", _answering(token, 401)),
            Route("/api/v2/signingCert", _answering(fulcio, 401), methods=["POST"]),
            Route("/api/v1/log/entries", _answering(rekor_1, 400), methods=["POST"]),
            Route("/api/v2/log/entries", _answering(rekor_2, 400), methods=["POST"]),
            Route("/api/v1/timestamp", _answering(stamp, 400), methods=["POST"]),
        ],
        # No page that a browser shows may reach it by a name that it lets point here.
        middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=[HERE, *([name] if name else [])])],
    )


def _answering(answer: Callable[[Request, bytes], Response], refused: int) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        try:
            return answer(request, await request.body())
        except Rejected as error:
            return _json({"code": refused, "message": f"{error.what}. {error.remedy}"}, refused)
        except InvalidSignature:
            return _json({"code": 400, "message": "the signature is not of this content and key"}, 400)
        except UNREADABLE as error:
            return _json({"code": 400, "message": f"this cannot be read: {error!r}"}, 400)

    return endpoint


def _json(content: object, status: int = 200) -> Response:
    return Response(msgspec.json.encode(content), status, media_type="application/json")
