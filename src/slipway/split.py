"""Splits in time: random ones flatter a model by two to twelve points of AUC, because days resemble themselves."""

from collections.abc import Sequence

from slipway.errors import Broken


def months(available: Sequence[str], test_months: int) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Divide months (`YYYY-MM`, in order) into training and test: the newest `test_months` are the test.

    Raises:
        Broken: nothing would be left to train on.

    """
    if len(available) <= test_months:
        raise Broken(
            f"{len(available)} months of data cannot give {test_months} for the test and one for training",
            "Add months to data/, or lower prepare.test_months in params.yaml.",
        )
    return tuple(available[:-test_months]), tuple(available[-test_months:])
