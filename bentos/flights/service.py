"""The service as BentoML starts it: `bentoml serve` of a bento, or of a folder that holds the same files.

`service_class` is BentoML's public way to make a service of one's own class; it lets our routes stand in front of the
application that BentoML builds, with its middleware. Pinned to the version in requirements/serving.in and tested.
"""

import logging
from pathlib import Path
from typing import Any

import bentoml

import openapi
from routes import Application

# uvicorn would format a line per request for a logger that nobody reads.
logging.getLogger("uvicorn.access").propagate = False


class FastService(bentoml.Service[Any]):  # type: ignore[misc]  # bentoml loads its names lazily, untyped
    """A BentoML service whose own application stands behind ours."""

    def to_asgi(self, is_main: bool = True) -> Application:  # BentoML's signature
        """Build the application of one worker."""
        inner = super().to_asgi(is_main=is_main)
        return Application(inner, Path(__file__).parent)

    @property
    def openapi_spec(self) -> dict[str, Any]:
        """The document that BentoML writes into the bento."""
        return openapi.document()


@bentoml.service(name="flights", workers=1, service_class=FastService, logging={"access": {"enabled": False}})
class Flights:
    """Probability that a flight arrives late. The routes need no instance: see routes.py."""
