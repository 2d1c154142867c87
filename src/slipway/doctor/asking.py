"""How a check asks the API, and what it does where nobody can tell.

A Service is asked through the API server's own proxy, so that a laptop needs no way to it but the API's. That proxy
leads to pods alone (measured): a Service without a selector is asked at the address behind it, from where this runs.
"""

import json
import re
from collections.abc import Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit

from slipway.canary.facts import at
from slipway.doctor.records import Object, World

CORE, APPS, BATCH = "/api/v1", "/apis/apps/v1", "/apis/batch/v1"
ARGO, TRAEFIK = "/apis/argoproj.io/v1alpha1", "/apis/traefik.io/v1alpha1"
SLICES = "/apis/discovery.k8s.io/v1"
RIGHTS = "Ask for the rights that docs/doctor.md lists, or let somebody look who has them."
AGAIN = "Look again; if it stays so, look at the API server."


@dataclass(frozen=True)
class Fault:
    """Something that is wrong: where, what was found, and what mends it."""

    where: str
    found: str
    remedy: str


@dataclass(frozen=True)
class Fine:
    """What a check saw that is well; a remedy says what would be better."""

    found: str
    remedy: str = ""


Checking = Generator[Fault, None, Fine]


class Doubt(Exception):
    """A check could not be made: why, and what would let it be made."""

    def __init__(self, found: str, remedy: str) -> None:
        super().__init__(found)
        self.found, self.remedy = found, remedy


class Unreleased(Doubt):
    """Nothing was released to an environment, and nothing of it is there: there is nothing to check."""


def path(group: str, plural: str, namespace: str = "", name: str = "", **query: str) -> str:
    """Spell the path of objects of a kind: everywhere, in a namespace, or the one of a name."""
    inside = f"/namespaces/{namespace}" if namespace else ""
    return f"{group}{inside}/{plural}" + (f"/{name}" if name else "") + (f"?{urlencode(query)}" if query else "")


def one(world: World, where: str) -> Object | None:
    """Read an object, None where there is none.

    Raises:
        Doubt: it could not be read.

    """
    answer = world.ask(where)
    if answer.status == 404:
        return None
    if answer.status != 200 or not isinstance(answer.body, Mapping):
        raise _unread(where, answer.status)
    return answer.body


def many(world: World, where: str) -> Sequence[Object]:
    """Read a list of objects, an empty one where the cluster does not know the kind; `one` has the errors."""
    found = one(world, where)
    items = () if found is None else found.get("items")
    if not isinstance(items, list | tuple):
        raise Doubt(f"{where} is no list", AGAIN)
    return items


def _unread(where: str, status: int) -> Doubt:
    what = where.partition("?")[0]
    if status in (401, 403):
        return Doubt(f"you may not read {what} ({status})", RIGHTS)
    return Doubt(f"{what} was not answered ({status})" if status else f"{what} was not answered in time", AGAIN)


@dataclass(frozen=True)
class Service:
    """A Service of the cluster, and its port."""

    namespace: str
    name: str
    port: int
    scheme: str = "http"
    prefix: str = ""  # of each path

    @property
    def label(self) -> str:
        """How findings name it."""
        return f"{self.namespace} Service/{self.name}"

    def get(self, world: World, where: str, **query: str) -> Any:  # noqa: ANN401  # JSON or text, as it answers
        """Ask the Service.

        Raises:
            Doubt: what answered was not the Service itself: nobody may ask, or nobody reaches it.
            Refused: the Service answered, and not with 200.

        """
        inside = f"{self.prefix}/{where}".lstrip("/") + (f"?{urlencode(query)}" if query else "")
        outside = self._outside(world)
        name = f"{self.scheme}:{self.name}:{self.port}"
        answer = world.ask(f"{outside}/{inside}" if outside else
                           path(CORE, "services", self.namespace, f"{name}/proxy/{inside}"))  # fmt: skip
        if answer.status == 200:
            return answer.body
        if outside and not answer.status:
            what = f"{self.label} leads out of the cluster, to {outside}, which does not answer from here"
            raise Doubt(what, f"Look from where it can be reached: `curl {outside}{self.prefix}/{where}`.")
        by_api = not outside and at(answer.body, "kind") == "Status"  # the API server's own words
        if answer.status in (401, 403) and by_api:
            raise Doubt(f"you may not ask {self.label} through the API server (services/proxy)", RIGHTS)
        if not answer.status or by_api:
            said = at(answer.body, "message") or "no answer in time"
            raise Doubt(f"the API server does not reach {self.label}: {_line(said)}", self.forward(where))
        raise Refused(f"{answer.status} {_line(answer.body)}")

    def live(self, world: World) -> Object | None:
        """The Service as it is, None where it is not there; `one` has the errors."""
        return one(world, path(CORE, "services", self.namespace, self.name))

    def ready(self, world: World) -> list[tuple[str, Object]]:
        """The addresses behind it that are ready, each with its slice; `one` has the errors."""
        chosen = f"kubernetes.io/service-name={self.name}"
        return [
            (address, piece)
            for piece in many(world, path(SLICES, "endpointslices", self.namespace, labelSelector=chosen))
            for each in piece.get("endpoints") or ()
            if at(each, "conditions", "ready") is not False
            for address in each.get("addresses") or ()
        ]

    def _outside(self, world: World) -> str | None:
        """Where it leads, if not to pods that a selector finds; None where it does, or where nobody can say."""
        live = self.live(world)
        if live is None or at(live, "spec", "selector"):
            return None
        port: Object = next((each for each in at(live, "spec", "ports") or () if each.get("port") == self.port), {})
        for address, piece in self.ready(world):
            for each in piece.get("ports") or ():
                if (each.get("name") or "") == (port.get("name") or ""):
                    host = f"[{address}]" if ":" in address else address
                    return f"{self.scheme}://{host}:{each.get('port')}"
        return None

    def forward(self, where: str) -> str:
        """Say how a person asks it without the API server's proxy, which a NetworkPolicy may keep out."""
        return (
            f"A NetworkPolicy may keep the API server out; ask it yourself: `kubectl -n {self.namespace} port-forward"
            f" service/{self.name} 8080:{self.port}`, then `curl http://127.0.0.1:8080{self.prefix}/{where}`."
        )


class Refused(Exception):
    """A Service answered, and not with 200."""


def service(address: str, namespace: str) -> Service | None:
    """The Service that an address names, as seen from a namespace; None where it is none of this cluster."""
    try:
        parts = urlsplit(address)
        port = parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError:
        return None
    host = re.fullmatch(
        r"([a-z0-9-]+)(?:\.([a-z0-9-]+)(?:\.svc(?:\.[a-z0-9.-]+)?)?)?\.?", parts.hostname or "", re.IGNORECASE
    )
    if not host or re.fullmatch(r"[\d.]+", parts.hostname or ""):
        return None
    return Service(host[2] or namespace, host[1], port, parts.scheme, parts.path.rstrip("/"))


def label(found: Object) -> str:
    """How findings name an object."""
    return f"{at(found, 'metadata', 'namespace')} {at(found, 'kind') or 'object'}/{at(found, 'metadata', 'name')}"


def named(kind: str, namespace: str, name: str) -> str:
    """How findings name an object that may not be there."""
    return f"{namespace} {kind}/{name}"


def listed(words: Iterable[object]) -> str:
    """Write words one after the other."""
    return ", ".join(map(str, words))


def _line(said: object) -> str:
    text = said if isinstance(said, str) else json.dumps(said)
    return " ".join(text.split())[:200]
