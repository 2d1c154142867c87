"""Evidence that a canary is worse, or is not: a betting e-process over strata, with a margin, mixed over effects.

Within a stratum both arms lived through the same world, so only they are compared, and evidence is multiplied over
strata. For a null "the canary's mean loss differs from stable's by at most (at least) d in every stratum", a stake b of
the right sign and any reference rate u, both fixed by earlier strata and by the numbers of requests,

    E = (1 + b(1-v))^x_c (1 - bv)^(n_c-x_c) (1 - br(1-u))^x_s (1 + bru)^(n_s-x_s),    v = u + d,    r = n_c / n_s

has mean ≤ exp(b n_c (difference - d)) ≤ 1: the product is a supermartingale for any base rate, drift, weight and number
of looks, and ever reaches 1/a with probability at most a (Ville). A bad u or b costs time, never validity. With losses
in [0, 1] in place of 0 and 1 it is valid too, by the inequality of the weighted means. The stake is the growth-optimal
one of a two-sample test (Turner, Ly & Grünwald 2021, arXiv:2106.02693; Waudby-Smith & Ramdas 2020, arXiv:2010.09686)
after one step of its equation. Everything is in natural logarithms.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

TOLERATED = 1 / 4  # of the margin: what no canary is aborted for
WIDEST = 0.99  # margin: no difference can be larger than 1

# What the bets are on, in margins, and what share is on each. With 3 to 16 effects the time to a verdict
# changes by no more than a fifth, so nothing hangs on them.
_WORSE = ((1 / 2, 1 / 6), (1, 1 / 6), (2, 1 / 6), (4, 1 / 6), (8, 1 / 6), (16, 1 / 6))  # beyond what is tolerated
_HARMLESS = ((0.0, 1 / 2), (1 / 4, 1 / 4), (-1 / 2, 1 / 4))  # differences between the arms
_NOT_BETTER = ((1 / 4, 1 / 3), (1, 1 / 3), (4, 1 / 3))  # beyond -TOLERATED: the first is "both are alike"
_ANY = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32)  # differences, where there is no margin

_STAKED = 0.8  # of the cash at the start; the rest follows by 1/60 of it a stratum, for a regression that starts late
_FOLLOWS = 1 / 60
_HALF_LIFE = 30  # strata, of the memory of stable's rate
_PSEUDO = 100  # requests that the configured base rate counts for
_CAP = 0.95  # of the stake at which a single request could take everything
_EDGE = 1e-6  # rates stay so far from 0 and 1


@dataclass(frozen=True)
class Strata:
    """Requests and the sum of their losses, by arm and stratum; leading axes are independent runs.

    `ends` (K,) are seconds since 1970; the others are (..., K), losses between 0 and the requests.
    """

    ends: Array
    stable_loss: Array
    stable_requests: Array
    canary_loss: Array
    canary_requests: Array


def abort(strata: Strata, *, margin: float, base: float) -> Array:
    """Log evidence (..., K) after each stratum that the canary is worse by more than a quarter of the margin."""
    tolerated = TOLERATED * margin
    bets = [(tolerated + times * margin, share) for times, share in _WORSE]
    bets = [bet for bet in bets if bet[0] <= 0.95 - base] or bets[:1]
    return _evidence(strata, tolerated, bets, base, restart=True)


def promote(strata: Strata, *, margin: float, base: float) -> Array:
    """Log evidence (..., K) after each stratum that the canary is worse by less than `margin`."""
    return _evidence(strata, min(margin, WIDEST), [(times * margin, share) for times, share in _HARMLESS], base)


def better(strata: Strata, *, margin: float, base: float) -> Array:
    """Log evidence (..., K) after each stratum that the canary is better by more than a quarter of the margin."""
    tolerated = TOLERATED * margin
    return _evidence(strata, -tolerated, [(-tolerated - times * margin, share) for times, share in _WORSE], base)


def not_better(strata: Strata, *, margin: float, base: float) -> Array:
    """Log evidence (..., K) after each stratum that the canary is not better by a quarter of the margin."""
    tolerated = TOLERATED * margin
    return _evidence(strata, -tolerated, [(-tolerated + times * margin, share) for times, share in _NOT_BETTER], base)


def differs(strata: Strata, *, base: float) -> Array:
    """Log evidence (..., K) after each stratum that the arms differ, either way."""
    up, down = (_evidence(strata, 0.0, [(sign * effect, 1) for effect in _ANY], base, restart=True) for sign in (1, -1))
    either: Array = np.logaddexp(up, down) - np.log(2)
    return either


def _evidence(
    strata: Strata, null: float, bets: Sequence[tuple[float, float]], base: float, *, restart: bool = False
) -> Array:
    """Mix bets (effect, share of the cash) against the null difference; effects lie on one side of it."""
    growth = _growth(strata, null, base)
    total = sum(share for _, share in bets)
    number = strata.ends.size
    mixed: Array
    if restart:
        # Cash goes in before stratum k = 0, 1, ...; what is not in yet stays what it is.
        waiting = np.log1p(-_STAKED) + np.arange(number) * np.log1p(-_FOLLOWS)
        cash = np.concatenate([[np.log(_STAKED)], waiting[:-1] + np.log(_FOLLOWS)])[:number]
        mixed = waiting
    else:
        cash, mixed = np.zeros(1), np.full(number, -np.inf)
    for effect, share in bets:
        each = growth(effect)
        grown = np.cumsum(each, axis=-1)
        if restart:
            # Each payment grows from the stratum that it goes into: log of the sum of cash[i] * grown[k] / grown[i-1].
            grown = grown + np.logaddexp.accumulate(cash - (grown - each), axis=-1)
        mixed = np.logaddexp(mixed, grown + np.log(share / total))
    return mixed


def _growth(strata: Strata, null: float, base: float) -> Callable[[float], Array]:
    """What one stratum adds to the log evidence, (..., K), as a function of the effect that is bet on."""
    x_s, n_s, x_c, n_c = strata.stable_loss, strata.stable_requests, strata.canary_loss, strata.canary_requests
    both = (n_s > 0) & (n_c > 0)
    n_s, n_c, x_s, x_c = (np.where(both, values, 0.0) for values in (n_s, n_c, x_s, x_c))
    ratio = np.divide(n_c, n_s, out=np.ones_like(n_c), where=both)
    rate = np.clip(_stable_rate(strata, base), _EDGE, 1 - _EDGE)
    at_null = np.clip(rate + null, _EDGE, 1 - _EDGE)
    # Where the reference lies between the arms: the noisier arm has the smaller say. n_c / V_c over the sum of both.
    say = ratio * rate * (1 - rate)
    say /= say + at_null * (1 - at_null)
    low, high = max(_EDGE, _EDGE - null), 1 - max(_EDGE, _EDGE + null)

    def growth(effect: float) -> Array:
        u = np.clip(rate + say * (effect - null), low, high)
        v = u + null
        stake = (np.clip(rate + effect, _EDGE, 1 - _EDGE) - v) / (v * (1 - v))
        if effect > null:
            stake = np.clip(stake, 0, _CAP / np.maximum(v, ratio * (1 - u)))
        else:
            stake = np.clip(stake, -_CAP / np.maximum(1 - v, ratio * u), 0)
        ours, theirs = stake * v, stake * ratio * u
        gained: Array = (
            x_c * np.log(1 + stake - ours)
            + (n_c - x_c) * np.log(1 - ours)
            + x_s * np.log(1 + theirs - stake * ratio)
            + (n_s - x_s) * np.log(1 + theirs)
        )
        return gained

    return growth


def _stable_rate(strata: Strata, base: float) -> Array:
    """Stable's rate as earlier strata show it, (..., K); what is 30 strata old counts half."""
    return (_earlier(strata.stable_loss) + _PSEUDO * base) / (_earlier(strata.stable_requests) + _PSEUDO)


def _earlier(values: Array) -> Array:
    """Sum what lies before each stratum, (..., K), fading with age: sums over 1, 2, 4, ... strata, each from two."""
    number = values.shape[-1]
    out = np.zeros(values.shape)
    out[..., 1:] = values[..., :-1]
    span = 1
    while span < number:
        out[..., span:] += 0.5 ** (span / _HALF_LIFE) * out[..., :-span]
        span *= 2
    return out
