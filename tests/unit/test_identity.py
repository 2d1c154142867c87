"""Ids: what was signed is read back, and nothing else is taken, whatever is changed in it."""

import math
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slipway import identity
from slipway.errors import Broken
from slipway.identity import Refused, Signer

KEY, OTHER = b"k" * 32, b"o" * 32
NOW = 1_700_000_000
NONCE = bytes(range(identity.NONCE_BYTES))
KEYS = identity.keyring((KEY,))
WORDS = st.from_regex(identity.WORD, fullmatch=True)
SCORES = st.lists(st.floats(0, 1), min_size=1, max_size=5)
GENEROUS = settings(max_examples=200, derandomize=True)


def signer(key: bytes = KEY, environment: str = "production", nonce: bytes = NONCE) -> Signer:
    """A process of release 1.2.0."""
    return Signer(key, environment, "1.2.0", "6d4cf56db6", nonce)


def made(**who: bytes | str) -> str:
    """One id, of a score of 0.25."""
    return signer(**who).ids(NOW * 10**9, [0.25])[0]  # type: ignore[arg-type]  # by name


def reason(text: str, keys: tuple[bytes, ...] = (KEY,), environment: str = "production", now: float = NOW) -> str:
    """Why an id is refused."""
    with pytest.raises(Refused) as caught:
        identity.verify(text, identity.keyring(keys), environment, now)
    return caught.value.reason


@GENEROUS
@given(st.tuples(WORDS, WORDS, WORDS), st.binary(min_size=9, max_size=9), st.integers(0, 2**62), SCORES)
def test_what_was_signed_is_read(words: tuple[str, str, str], nonce: bytes, clock: int, scores: list[float]) -> None:
    """Every word, time and score comes back; the rows of a call share their call, and nothing else their id."""
    environment, release, pod = words
    process = Signer(KEY, environment, release, pod, nonce)
    ids = process.ids(clock, scores)
    origins = [identity.verify(each, KEYS, environment, clock / 1e9) for each in ids]
    assert [origin.score for origin in origins] == scores
    assert {(o.environment, o.release, o.pod, o.at) for o in origins} == {(environment, release, pod, clock / 1e9)}
    assert len(set(ids)) == len(ids)
    assert len({origin.call for origin in origins}) == 1
    assert identity.read(process.ids(clock, [0.5])[0]).call != origins[0].call
    assert [identity.read(each) for each in ids] == origins


def test_an_id_may_stand_in_a_url() -> None:
    """Only characters that no URL, header or shell reads as something else."""
    assert re.fullmatch(r"[A-Za-z0-9._~-]{1,200}", made())


@GENEROUS
@given(st.integers(0, 200), st.sampled_from("AZaz09-_~."))
def test_no_character_can_be_another(place: int, character: str) -> None:
    """One character changed, anywhere: refused."""
    whole = made()
    at = place % len(whole)
    changed = whole[:at] + character + whole[at + 1 :]
    if changed != whole:
        assert reason(changed) in {"malformed", "key", "forged"}


@GENEROUS
@given(st.text(max_size=200) | st.text(alphabet="1~a0f.-_", max_size=140))
def test_any_text_is_refused_in_words(text: str) -> None:
    """Whatever somebody sends: a refusal, never another error."""
    assert reason(text) == "malformed"


def test_ids_of_others_are_refused_by_name() -> None:
    """A key that is not ours, a signature that is not of the key it names, another environment."""
    assert reason(made(key=OTHER)) == "key"
    assert reason(made(key=OTHER).replace(identity.key_id(OTHER), identity.key_id(KEY))) == "forged"
    assert reason(made(environment="staging")) == "foreign"
    assert reason(made(environment="staging").replace("staging", "production")) == "forged"


def test_two_keys_are_accepted_while_they_are_changed() -> None:
    """An id of the old key is good as long as that key stands second, and not a moment longer."""
    old = made(key=OTHER)
    assert identity.verify(old, identity.keyring((KEY, OTHER)), "production", NOW).score == 0.25
    assert reason(old, keys=(KEY,)) == "key"


def test_a_clock_that_is_ahead_has_its_limit() -> None:
    """Within the skew that two clocks may have an id is taken, beyond it not yet."""
    ahead = NOW - identity.SKEW_SECONDS
    assert identity.verify(made(), KEYS, "production", ahead).at == NOW
    assert reason(made(), now=ahead - 1) == "future"


def test_two_processes_never_make_the_same_id() -> None:
    """The same facts at the same nanosecond: the nonce tells the processes apart, and their calls."""
    one, other = made(), made(nonce=bytes(9))
    assert one != other
    assert identity.read(one).call != identity.read(other).call


@pytest.mark.parametrize("word", ["", "a~b", "a b", "é", "-a", 64 * "a"])
def test_a_word_that_breaks_the_format_is_refused(word: str) -> None:
    """Before anything is signed."""
    with pytest.raises(Broken, match="cannot stand in an id"):
        Signer(KEY, "production", "1.2.0", word, NONCE)


@pytest.mark.parametrize("score", [math.nan, math.inf, -math.inf])
def test_a_score_that_is_no_number_is_refused(score: float) -> None:
    """The ledger does not take it: one such row would keep from it all that is shipped, or told, together with it."""
    (signed,) = Signer(KEY, "production", "1.2.0", "6d4cf56db6", NONCE).ids(0, [score])
    assert reason(signed) == "malformed"
    with pytest.raises(Refused):
        identity.read(signed)
