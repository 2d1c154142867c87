"""The truth about predictions, taken from whoever learns it: /feedback.

An id says all that the ledger must know of a prediction, so a truth is taken before its prediction is shipped. Taking
it waits for the database, in a thread of its own; a prediction never waits for either.
"""

import asyncio
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from hmac import compare_digest

import msgspec

import telemetry
from contract import RESULTS, Problem, Receipt, Refused, decode_truths
from settings import Settings
from slipway import identity
from slipway.adapters.ledger import Ledger
from slipway.errors import Broken
from slipway.predictions import Outcome

STORE_SECONDS = 10.0
MAX_STORING = 16  # requests that wait for the database
SAID = {"conflict": "Another truth of this prediction is recorded already; the first one stays."}
encode = msgspec.json.Encoder().encode


class Feedback:
    """Takes truths to the ledger, which is opened when the first one comes: to predict, none is needed."""

    def __init__(self, told: Settings) -> None:
        self._told, self._keys = told, identity.keyring(told.keys)
        self._ledger: Ledger | None = None
        self._thread = ThreadPoolExecutor(1, "feedback")
        self._storing = 0

    def admit(self, headers: Iterable[tuple[bytes, bytes]]) -> None:
        """Let those in who know a credential.

        Raises:
            Refused: the request holds none that is accepted.

        """
        given = b"".join(value for name, value in headers if name == b"authorization")
        scheme, _, secret = given.partition(b" ")
        matches = [compare_digest(secret.strip(), accepted) for accepted in self._told.credentials]
        if scheme.lower() != b"bearer" or not any(matches):
            raise Refused(Problem(401, "credential", "Send the header authorization: Bearer, and the credential."))

    async def take(self, body: bytes) -> tuple[int, bytes]:
        """Record what a request says; returns the status and the answer: a receipt for each truth.

        One truth is answered with its own status. Many are answered with 200 if all are taken, else with 207: each
        receipt has its status, and what could be taken is taken.

        Raises:
            Refused: the body is none, or the ledger does not take it: then nothing of it is stored.

        """
        now = time.time()
        truths, many = decode_truths(body)
        receipts: list[Receipt | None] = []
        outcomes: list[Outcome] = []
        for truth in truths:
            try:
                origin = identity.verify(truth.id, self._keys, self._told.environment, now)
            except identity.Refused as refused:
                receipts.append(Receipt(truth.id, RESULTS[refused.reason], refused.reason, str(refused)))
            else:
                receipts.append(None)
                outcomes.append(Outcome(origin=origin, truth=float(truth.late), received_at=now, rating=truth.rating))
        results = iter(await self._store(outcomes))
        whole = [receipt or _receipt(truth.id, next(results)) for truth, receipt in zip(truths, receipts, strict=True)]
        for receipt in whole:
            telemetry.feedback(receipt.result).inc()
        if not many:
            return whole[0].status, encode(whole[0])
        return 200 if all(receipt.status == 200 for receipt in whole) else 207, encode(whole)

    async def _store(self, outcomes: Sequence[Outcome]) -> Sequence[str]:
        if not outcomes:
            return ()
        if self._storing >= MAX_STORING:
            raise Refused(Problem(503, "busy", f"{MAX_STORING} requests wait for the ledger; try again soon."))
        self._storing += 1
        storing = asyncio.get_running_loop().run_in_executor(self._thread, self._record, outcomes)
        storing.add_done_callback(self._stored)
        try:
            async with asyncio.timeout(STORE_SECONDS):
                return await asyncio.shield(storing)
        except TimeoutError:
            sentence = f"The ledger took longer than {STORE_SECONDS:g} seconds; send the same again, it is stored once."
            raise Refused(Problem(503, "ledger", sentence)) from None
        except Broken:
            raise Refused(Problem(503, "ledger", "The ledger does not answer; nothing is stored, try again.")) from None

    def _record(self, outcomes: Sequence[Outcome]) -> Sequence[str]:
        if self._ledger is None:
            self._ledger = Ledger(self._told.url)
        try:
            return self._ledger.record(outcomes)
        except Broken:
            self._ledger = None  # opened anew: what was removed is made again
            raise

    def _stored(self, done: "asyncio.Future[Sequence[str]]") -> None:
        self._storing -= 1
        done.exception()  # of a request that waits no longer


def _receipt(identity_: str, result: str) -> Receipt:
    return Receipt(identity_, RESULTS[result], result, SAID.get(result))
