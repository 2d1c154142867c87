"""The id of a prediction: what must be known to take its truth later, signed, so that no table is asked.

    1~9c56cc51~production~1.2.0~6d4cf56db6~AbCdEfGhIjKl~F4hq...

Format, key, environment, release, pod-template hash, process; then, in base64url, the server's clock (nanoseconds since
1970, 64 bits), the number of the call in that process (64), the row in the call (16), the score (a double), and a keyed
BLAKE2b of all of it (128 bits). All of an id may stand in a URL. Whoever holds the key can make ids, nobody else.
"""

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping, Sequence
from hashlib import blake2b
from hmac import compare_digest
from itertools import count
from math import isfinite
from struct import Struct

from slipway.errors import Broken
from slipway.predictions import Origin

FORMAT = "1"
NONCE_BYTES, MAC_BYTES = 9, 16  # with the facts below, multiples of 3: base64 without padding
SKEW_SECONDS = 300.0  # two clocks of one service may differ by so much; an id from further ahead is not taken yet
WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
_FACTS = Struct(">QQHd")  # time, call, row, score
_ID = re.compile(
    rf"{FORMAT}~([0-9a-f]{{8}})~{WORD.pattern}~{WORD.pattern}~{WORD.pattern}~[\w-]{{12}}~[\w-]{{56}}", re.ASCII
)


class Refused(Exception):
    """An id is not taken. `reason` is one of malformed, key, forged, foreign, future."""

    def __init__(self, reason: str, sentence: str) -> None:
        super().__init__(sentence)
        self.reason = reason


class Signer:
    """Makes the ids of one process."""

    def __init__(self, key: bytes, environment: str, release: str, pod: str, nonce: bytes) -> None:
        """`nonce` is random, NONCE_BYTES long, and never used by another process.

        Raises:
            Broken: environment, release or pod cannot stand in an id.

        """
        for what, word in (("environment", environment), ("release", release), ("pod", pod)):
            if not WORD.fullmatch(word):
                raise Broken(f"the {what} {word!r} cannot stand in an id", f"It must match {WORD.pattern}.")
        self.process = urlsafe_b64encode(nonce).decode()
        self._prefix = f"{FORMAT}~{key_id(key)}~{environment}~{release}~{pod}~{self.process}~"
        self._mac = _mac(key, self._prefix)
        self._calls = count()

    def ids(self, now: int, scores: Sequence[float]) -> list[str]:
        """One id for each row of a call that is answered at `now`, in nanoseconds since 1970."""
        prefix, start, call = self._prefix, self._mac.copy, next(self._calls)
        made = []
        for row, score in enumerate(scores):
            facts = _FACTS.pack(now, call, row, score)
            mac = start()
            mac.update(facts)
            made.append(prefix + urlsafe_b64encode(facts + mac.digest()).decode())
        return made


def key_id(key: bytes) -> str:
    """Name a key without telling it."""
    return blake2b(key, digest_size=4, person=b"slipway-key-id").hexdigest()


def keyring(keys: Sequence[bytes]) -> dict[str, bytes]:
    """Keys by their ids, as `verify` asks for them."""
    return {key_id(key): key for key in keys}


def read(identity: str) -> Origin:
    """Say what an id says, unverified: for ids that this service has written itself.

    Raises:
        Refused: it is malformed.

    """
    return _split(identity)[0]


def verify(identity: str, keys: Mapping[str, bytes], environment: str, now: float) -> Origin:
    """Say what an id says, if this service made it, in this environment, and not in the future.

    `keys` by their ids (`keyring`); `now` in seconds since 1970.

    Raises:
        Refused: it did not, or nobody can tell.

    """
    origin, signed, mac = _split(identity)
    key = keys.get(identity[2:10])
    if key is None:
        raise Refused("key", "The id is signed with a key that is not accepted here, or no longer.")
    expected = _mac(key, signed[0])
    expected.update(signed[1])
    if not compare_digest(expected.digest(), mac):
        raise Refused("forged", "The signature of the id is wrong.")
    if origin.environment != environment:
        raise Refused("foreign", f"The id was made in {origin.environment}; this is {environment}.")
    if origin.at > now + SKEW_SECONDS:
        raise Refused("future", "The id was made by a clock that is ahead of this one; send it again later.")
    return origin


def _split(identity: str) -> tuple[Origin, tuple[str, bytes], bytes]:
    """What an id says, what of it is signed, and the signature."""
    if not _ID.fullmatch(identity):
        raise Refused("malformed", "This is no id of a prediction.")
    prefix, tail = identity[:-56], urlsafe_b64decode(identity[-56:])
    facts, mac = tail[: _FACTS.size], tail[_FACTS.size :]
    nanoseconds, call, _, score = _FACTS.unpack(facts)
    if not isfinite(score):  # the ledger refuses it, and all that comes with it
        raise Refused("malformed", "The prediction was no number: there is no truth about it.")
    _, _, environment, release, pod, process, _ = prefix.split("~")
    origin = Origin(
        id=identity,
        call=f"{process}~{call}",
        at=nanoseconds / 1e9,
        environment=environment,
        release=release,
        pod=pod,
        score=score,
    )
    return origin, (prefix, facts), mac


def _mac(key: bytes, prefix: str) -> blake2b:
    return blake2b(prefix.encode(), digest_size=MAC_BYTES, key=key, person=b"slipway-id")
