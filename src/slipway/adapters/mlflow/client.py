"""A connection to MLflow that is quiet, gives up in seconds, and has one kind of error."""

import logging
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from slipway.errors import Broken

if TYPE_CHECKING:
    from mlflow import MlflowClient

SETTINGS = {
    # A dead server is a sentence after seconds, not after minutes of retries.
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "5",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
}
ATTEMPTS = 4  # to open a database: a second and a half
LONGEST = 300  # of MLflow's own sentence, which repeats the request


@contextmanager
def connected(uri: str) -> Iterator["MlflowClient"]:
    """A client of a tracking server; its errors become one sentence."""
    for key, value in SETTINGS.items():
        os.environ.setdefault(key, value)
    for noisy in ("mlflow", "alembic"):
        logging.getLogger(noisy).setLevel(logging.ERROR)
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException
    from mlflow.store.db import utils
    from sqlalchemy.exc import SQLAlchemyError

    utils.MAX_RETRY_COUNT = ATTEMPTS  # a constant of its own, and no setting
    logging.getLogger("mlflow").setLevel(logging.ERROR)  # the import has set its own
    try:
        yield MlflowClient(tracking_uri=uri, registry_uri=uri)
    except (MlflowException, SQLAlchemyError, OSError, ImportError) as error:  # of a database, its file, its driver
        what = f"MLflow at {uri} does not do as asked: {str(error).splitlines()[0][:LONGEST]}"
        raise Broken(
            re.sub("//[^/@ ]*@", "//", what),  # a password in the address stays there
            "See that it runs and is reachable; another address is chosen by --tracking-uri or $MLFLOW_TRACKING_URI.",
        ) from error
