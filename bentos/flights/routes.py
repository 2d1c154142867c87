"""The routes of the service, as a plain ASGI application in front of BentoML's own.

/predict is answered here, outside BentoML's middleware, which would cost fifteen times the work itself. So its limits
do not cover the route either; the ones that do are in bodies.py and contract.py.
"""

import logging
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from time import perf_counter, time_ns
from typing import TYPE_CHECKING

import msgspec

import pages
import settings
import telemetry
from bodies import Bodies, Gone, Message, Receive, check_head, wrong_method
from contract import Prediction, Problem, Refused, decode
from predictor import Predictor
from slipway import identity
from slipway.adapters import spool
from slipway.errors import SlipwayError

if TYPE_CHECKING:
    from feedback import Feedback

Send = Callable[[Message], Awaitable[None]]
Asgi = Callable[[Message, Receive, Send], Awaitable[None]]

BENTOML = frozenset({"/livez", "/healthz", "/readyz", "/metrics"})
JSON = (b"content-type", b"application/json")
encode = msgspec.json.Encoder().encode


class Application:
    """Answers our routes and hands BentoML's on. The model is opened when the server starts, not when this is made."""

    def __init__(self, inner: Asgi, folder: Path) -> None:
        self._inner, self._folder = inner, folder
        self._answers = pages.still(folder)
        self._bodies = Bodies()
        self._predictor: Predictor | None = None
        self._refusal = Problem(503, "not-ready", "The service is starting.")
        self._signer: identity.Signer | None = None
        self._spool: spool.Writer | None = None
        self._feedback: Feedback | None = None

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer one request, or hand it on."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                self._open()
            await self._inner(scope, receive, send)
        elif scope["path"] == "/predict":
            await self._predict(scope, receive, send)
        elif scope["path"] == "/feedback":
            await self._take(scope, receive, send)
        elif scope["path"] in self._answers:
            await self._still(self._answers[scope["path"]], scope, send)
        elif scope["path"] in BENTOML:
            await self._probe(scope, receive, send)
        else:
            routes = ("/predict", "/feedback", *self._answers, *sorted(BENTOML))
            await _refuse(send, "other", Problem(404, "route", "There is nothing at this path.", allowed=routes))

    def _open(self) -> None:
        try:
            predictor = Predictor(self._folder)
            if told := settings.read():
                self._remember(told, predictor.bundle.version)
            self._predictor = predictor
        except SlipwayError as error:
            logging.getLogger("slipway").error("not ready: %s", error.what)  # noqa: TRY400  # a sentence
            self._refusal = Problem(503, "not-ready", f"The service may not predict: {error.what}.")
            answer = pages.Answer(503, b"application/json", encode(self._refusal))
            self._answers |= {"/readyz": answer, "/version": answer}
        else:
            self._version = predictor.bundle.version
            self._model = predictor.info.model_digest.removeprefix("sha256:")[:12]
            self._answers["/version"] = pages.version(predictor.bundle, predictor.info)

    def _remember(self, told: settings.Settings, release: str) -> None:
        from feedback import Feedback  # SQL, and only where there is a ledger

        signer = identity.Signer(told.keys[0], told.environment, release, told.pod, os.urandom(identity.NONCE_BYTES))
        self._spool = spool.Writer(told.spool, signer.process)
        self._signer, self._feedback = signer, Feedback(told)

    async def _predict(self, scope: Message, receive: Receive, send: Send) -> None:
        start = perf_counter()
        try:
            check_head(scope)
            body = self._answer(await self._bodies.read(receive))
        except Refused as refused:
            await _refuse(send, "/predict", refused.problem)
        except Gone:
            return
        else:
            telemetry.ANSWERED.inc()
            await _reply(send, 200, body, JSON)
        telemetry.LATENCY.observe(perf_counter() - start)

    def _answer(self, body: bytes) -> bytes:
        if self._predictor is None:
            raise Refused(self._refusal)
        flights, many = decode(body)
        scores, threshold = self._predictor.score(flights), self._predictor.info.threshold
        version, model = self._version, self._model
        if self._signer is None or self._spool is None:
            answers = [Prediction(score, score >= threshold, version, model) for score in scores]
            answer = encode(answers if many else answers[0])
        else:
            ids = self._signer.ids(time_ns(), scores)
            answers = [
                Prediction(score, score >= threshold, version, model, made)
                for score, made in zip(scores, ids, strict=True)
            ]
            answer = encode(answers if many else answers[0])
            try:  # a valid body has line breaks between its values only
                self._spool.append(b'{"answer":%b,"request":%b}\n' % (answer, body.replace(b"\n", b" ")))
            except spool.Full as full:
                raise Refused(_no_room(str(full))) from None
        late = sum([one.late for one in answers])
        telemetry.LATE.inc(late)
        telemetry.ON_TIME.inc(len(answers) - late)
        return answer

    async def _take(self, scope: Message, receive: Receive, send: Send) -> None:
        try:
            check_head(scope)
            feedback = self._configured()
            feedback.admit(scope["headers"])
            status, body = await feedback.take(await self._bodies.read(receive))
        except Refused as refused:
            await _refuse(send, "/feedback", refused.problem)
        except Gone:
            return
        else:
            telemetry.requests("/feedback", status).inc()
            await _reply(send, status, body, JSON)

    def _configured(self) -> "Feedback":
        if self._predictor is None:
            raise Refused(self._refusal)
        if self._feedback is None:
            raise Refused(Problem(503, "no-ledger", "No ledger is configured: no truth is taken here."))
        return self._feedback

    async def _probe(self, scope: Message, receive: Receive, send: Send) -> None:
        """Hand what a platform asks to BentoML, with what it cannot know: whether predictions can be kept."""
        if self._spool and scope["path"] == "/readyz" and (problem := self._spool.problem()):
            await _refuse(send, "/readyz", _no_room(problem))
            return
        if scope["path"] == "/metrics":
            telemetry.tell()
            if self._spool:
                telemetry.SPOOL.set(self._spool.waiting())
        await self._inner(scope, receive, send)

    async def _still(self, answer: pages.Answer, scope: Message, send: Send) -> None:
        if scope["method"] not in ("GET", "HEAD"):
            await _refuse(send, scope["path"], wrong_method("GET, HEAD"))
            return
        telemetry.requests(scope["path"], answer.status).inc()
        await _reply(send, answer.status, answer.body, (b"content-type", answer.kind), *pages.HEADERS)


def _no_room(why: str) -> Problem:
    return Problem(503, "spool", f"A prediction cannot be kept, so none is made: {why}.")


async def _refuse(send: Send, route: str, problem: Problem) -> None:
    telemetry.requests(route, problem.status).inc()
    telemetry.rejected(problem.reason).inc()
    headers = {
        401: (b"www-authenticate", b"Bearer"),
        405: (b"allow", str(problem.allowed).encode()),
        503: (b"retry-after", b"5"),
    }
    more = [headers[problem.status]] if problem.status in headers else []
    await _reply(send, problem.status, encode(problem), JSON, *more)


async def _reply(send: Send, status: int, body: bytes, *headers: tuple[bytes, bytes]) -> None:
    start = {
        "type": "http.response.start",
        "status": status,
        "headers": [*headers, (b"content-length", b"%d" % len(body))],
    }
    await send(start)
    await send({"type": "http.response.body", "body": body})
