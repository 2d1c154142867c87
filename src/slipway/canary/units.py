"""How figures are written for people."""

import math


def points(share: float) -> str:
    """Write a difference of shares, as a table has it: 0.01 is 1 pt."""
    return f"{100 * share:.3g} pt"


def duration(seconds: float) -> str:
    """Write a length of time with two units at most: 1 d 2 h, 5 min 20 s."""
    if math.isinf(seconds):
        return "for ever"
    whole = round(seconds)
    for unit, name, lower, lower_name in ((86400, "d", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s")):
        if whole >= unit:
            rest = whole % unit // lower
            return f"{whole // unit} {name} {rest} {lower_name}" if rest else f"{whole // unit} {name}"
    return f"{whole} s"
