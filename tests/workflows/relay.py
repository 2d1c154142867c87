"""The relay, as far as it speaks to GitHub: what it decides of a rollout's state is what it decides in a cluster."""

import subprocess
import time
from threading import Event

from tests.conftest import NAME
from tests.workflows.github import GitHub
from tests.workflows.shelf import RELAY

from slipway.adapters.github import Workflow
from slipway.records import Cause
from slipway.rollout import relay
from slipway.rollout.records import Phase, Seen
from slipway.rollout.relay import Action
from slipway.services.relay.acting import Dispatch
from slipway.services.relay.reading import Main


def due(
    github: GitHub, environment: str, phase: Phase, cause: Cause | None = None, image: str | None = None
) -> Action | None:
    """What the relay decides when it sees a rollout; by default, of the image that Git asks for."""
    root = github.folder / "relay.git"
    if not root.exists():
        subprocess.run(["git", "clone", "--quiet", "--bare", str(github.shelf.origin), str(root)], check=True)
    main = Main(root).read(Event())
    assert environment in main.environments, f"nothing was released to {environment}"
    about = main.environments[environment]
    seen = Seen(
        namespace=about.namespace,
        rollout=about.rollout,
        image=image or about.image,
        rollback=False,
        phase=phase,
        cause=cause,
        detail="RolloutAborted" if phase == "aborted" else "",
        at=time.time(),
    )
    return relay.due(seen, environment, main)


def ask(github: GitHub, action: Action | None) -> str:
    """Have the relay ask GitHub for it, with a token that may do nothing else; says what came of that."""
    assert action is not None, "the relay has nothing to ask for"
    token = github.shelf.issue({"actions": "write"}, RELAY)
    workflow = Workflow(f"http://{github.server.host}/api", NAME, lambda: token)
    tried = Dispatch(workflow).act(action, 0, Event())
    assert tried.result == "sent", tried.said
    return tried.said
