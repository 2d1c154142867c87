"""Who we are to a registry: the environment, or what a container tool's `login` left in its configuration file."""

import base64
import binascii
import json
import os
from pathlib import Path

from slipway.errors import Broken

REGISTRY = "SLIPWAY_REGISTRY"  # the host that the other two are for
USERNAME, PASSWORD = "SLIPWAY_REGISTRY_USERNAME", "SLIPWAY_REGISTRY_PASSWORD"


def find(host: str) -> tuple[str, str] | None:
    """Find user name and password for the registry `host`; None means: as nobody in particular.

    Raises:
        Broken: the configuration file cannot be understood.

    """
    if os.environ.get(REGISTRY) == host and USERNAME in os.environ and PASSWORD in os.environ:
        return os.environ[USERNAME], os.environ[PASSWORD]
    path = Path(os.environ.get("DOCKER_CONFIG", Path.home() / ".docker")) / "config.json"
    try:
        auth = json.loads(path.read_bytes()).get("auths", {}).get(host, {}).get("auth")
        user, _, password = base64.b64decode(auth, validate=True).decode().partition(":") if auth else ("", "", "")
    except FileNotFoundError:
        return None
    except (OSError, ValueError, AttributeError, TypeError, binascii.Error) as error:
        raise Broken(
            f"{path} holds no readable login for {host}: {error}",
            f"Log in again, or set {REGISTRY}, {USERNAME} and {PASSWORD}.",
        ) from error
    return (user, password) if user else None
