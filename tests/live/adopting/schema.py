"""src/slipway/schema.py from VERSION on; what stands before it stays."""

from collections.abc import Callable
from typing import Any

from slipway.schema import Column, Kind, Known, _number

VERSION = 1  # of the request contract; raised when a request that was valid no longer is
QUESTION = "Is the tumour malignant?"
TRUTH, TARGET = "malignant", 1  # late: this column, a number, holds so much or more; where it is missing nobody knows
LATE = "a tumour is malignant"  # the same in words

TABLE = "samples"  # of which a request asks about a row
MEASURES = {  # of the nuclei in the picture of a sample, and the most that one may hold
    "radius": 50,
    "texture": 100,
    "perimeter": 400,
    "area": 6000,
    "smoothness": 1,
    "compactness": 3,
    "concavity": 3,
    "concave_points": 1,
    "symmetry": 1,
    "fractal_dimension": 1,
}
MEASURED = tuple(
    Column(name.format(of), TABLE, Kind.NUMBER, Known.BEFORE, about.format(of), True, low=0, high=most)
    for name, about in (("mean_{}", "mean {}"), ("{}_error", "standard error of {}"), ("worst_{}", "largest {}"))
    for of, most in MEASURES.items()
)
CATALOGUE = (
    Column("date", TABLE, Kind.DATE, Known.BEFORE, "day on which the sample was taken", required=True),
    Column("sample", TABLE, Kind.NUMBER, Known.BEFORE, "number of the sample", True, low=0, high=1e9),
    _number(TRUTH, TABLE, 0, 1, "1: the tumour is malignant, 0: it is benign", known=Known.AFTER),
    *MEASURED,
)
COLUMNS = {column.name: column for column in CATALOGUE}
KEYS = {TABLE: ("sample",)}
"""By table, the columns in which no two of its rows agree; those of another table are what joins it."""
MONTHLY = (TABLE,)  # have a file a month; the others are one file
CLIENT = ("sample",)  # who asks, where a rehearsal keeps a client with one arm


def size(radius: float) -> str:
    """Tell small nuclei from large ones, by their mean radius."""
    return "large" if radius >= 14 else "small"


SLICES: dict[str, tuple[str, Callable[[Any], str]]] = {"size": ("mean_radius", size)}
"""The groups in which a model must hold: by their kind, a column, and the group that a value of it belongs to."""
