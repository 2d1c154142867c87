"""What can go wrong, by what it means for the caller.

SlipwayError
├── Rejected   the answer is no: data, a model or a release is refused (exit code 1)
└── Broken     no answer could be reached: bad input, a missing part, an outside system (exit code 2)

Each says what happened to what, and what to do next. They are caught in one place, at the command line.
"""


class SlipwayError(Exception):
    """Base of the tree: `what` happened, and the `remedy`, a sentence that says what to do next."""

    exit_code: int

    def __init__(self, what: str, remedy: str) -> None:
        super().__init__(what)
        self.what = what
        self.remedy = remedy


class Rejected(SlipwayError):
    """A decision was reached, and it is no."""

    exit_code = 1


class Broken(SlipwayError):
    """No decision could be reached. Never to be read as a verdict."""

    exit_code = 2
