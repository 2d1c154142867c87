"""The evidence in plain Python, one stratum after the other, as the specification writes it: for comparison only."""

import math
from collections.abc import Sequence

Row = tuple[float, float, float, float]  # x_s, n_s, x_c, n_c


def clip(value: float, low: float = 1e-6, high: float = 1 - 1e-6) -> float:
    """Keep a rate off 0 and 1."""
    return min(max(value, low), high)


def log_e(row: Row, c: float, delta: float, effect: float) -> float:
    """Log E of one stratum."""
    x_s, n_s, x_c, n_c = row
    if n_s == 0 or n_c == 0:
        return 0.0
    r = n_c / n_s
    c = clip(c)
    null_c = clip(c + delta)
    v_s, v_c = c * (1 - c), null_c * (1 - null_c)
    s = (n_c / v_c) / (n_s / v_s + n_c / v_c)
    u = clip(c + s * (effect - delta), max(1e-6, 1e-6 - delta), min(1 - 1e-6, 1 - 1e-6 - delta))
    v = u + delta
    stake = (clip(c + effect) - v) / (v * (1 - v))
    if effect > delta:
        stake = max(0.0, min(stake, 0.95 * min(1 / v, 1 / (r * (1 - u)))))
    else:
        stake = min(0.0, max(stake, -0.95 * min(1 / (1 - v), 1 / (r * u))))
    return (
        x_c * math.log(1 + stake * (1 - v))
        + (n_c - x_c) * math.log(1 - stake * v)
        + x_s * math.log(1 - stake * r * (1 - u))
        + (n_s - x_s) * math.log(1 + stake * r * u)
    )


def centres(rows: Sequence[Row], base: float) -> list[float]:
    """Stable's rate before each stratum."""
    keep, loss, requests, found = 0.5 ** (1 / 30), 0.0, 0.0, []
    for x_s, n_s, _, _ in rows:
        found.append((loss + 100 * base) / (requests + 100))
        loss, requests = keep * loss + x_s, keep * requests + n_s
    return found


def restarted(rows: Sequence[Row], base: float, delta: float, effects: Sequence[float]) -> list[float]:
    """M after each stratum, with cash that is still asleep."""
    prior = 1 / len(effects)
    awake, asleep, found = [0.8 * prior] * len(effects), 0.2, []
    for row, c in zip(rows, centres(rows, base), strict=True):
        awake = [cash * math.exp(log_e(row, c, delta, effect)) for cash, effect in zip(awake, effects, strict=True)]
        found.append(sum(awake) + asleep)
        awake = [cash + asleep / 60 * prior for cash in awake]
        asleep *= 1 - 1 / 60
    return found


def static(rows: Sequence[Row], base: float, delta: float, bets: Sequence[tuple[float, float]]) -> list[float]:
    """M after each stratum, with all cash awake from the start."""
    awake, found = [share for _, share in bets], []
    for row, c in zip(rows, centres(rows, base), strict=True):
        awake = [cash * math.exp(log_e(row, c, delta, effect)) for cash, (effect, _) in zip(awake, bets, strict=True)]
        found.append(sum(awake))
    return found


def abort(rows: Sequence[Row], margin: float, base: float) -> list[float]:
    """M of the abort test after each stratum."""
    effects = [margin / 4 + margin * times for times in (0.5, 1, 2, 4, 8, 16)]
    return restarted(rows, base, margin / 4, [effect for effect in effects if effect <= 0.95 - base] or effects[:1])


def promote(rows: Sequence[Row], margin: float, base: float) -> list[float]:
    """M of the promote test after each stratum."""
    return static(rows, base, margin, [(0.0, 0.5), (margin / 4, 0.25), (-margin / 2, 0.25)])
