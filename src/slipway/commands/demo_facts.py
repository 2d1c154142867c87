"""What a finished demo is, asked of Git, MLflow, the service and the ledger; nothing is remembered from the steps."""

import time
from pathlib import Path
from typing import Any

import requests

from slipway import features, records
from slipway.adapters import files, flights
from slipway.adapters.git import Repository
from slipway.demo import Asked, DemoResult
from slipway.errors import Rejected
from slipway.manifests import tree
from slipway.records import Release, Stable
from slipway.schema import TARGET_MINUTES

ENVIRONMENT = "production"
FLIGHTS = 10
SHIPPED_SECONDS = 30
AGAIN = "Run `make demo` again."


def collect(clone: Path, tracking_uri: str, address: str, secrets: Path) -> DemoResult:
    """Compute the result; `secrets` is the folder that names the ledger, and what its service lets in.

    Raises:
        Rejected: Git, the registry, the service and the ledger do not tell one story.

    """
    from slipway.adapters import mlflow

    repository = Repository(clone)
    repository.fetch()
    stable = records.loads(Stable, _at_main(repository, "releases/stable.json"), "releases/stable.json")
    version = stable.environments.get(ENVIRONMENT)
    if version is None:
        raise Rejected(f"{ENVIRONMENT} has no recorded stable on main", AGAIN)
    release = records.loads(Release, _at_main(repository, f"releases/{version}.json"), f"releases/{version}.json")
    bundle = release.package.bundle
    commit = repository.git("log", "--format=%H", f"--grep=^Slipway-Release: {version}$", "origin/main")
    image = tree.image_of(_rendered(repository))
    champion = mlflow.champion(tracking_uri)
    served = _get(f"{address}/version")
    _agree("the commit that released it", bool(commit), True)
    _agree("the image in the manifests", image.partition("@")[2], release.package.image_digest)
    if champion is None:
        raise Rejected("no model has the alias `champion`", AGAIN)
    _agree("the champion's model", champion.model_digest, bundle.model_digest)
    _agree("the service's release", served["release"], version)
    _agree("the service's model", served["model_digest"], bundle.model_digest)
    _agree("the service's commit", served["source_commit"], bundle.source_commit)
    return DemoResult(
        version=version,
        git_head=repository.git("rev-parse", "origin/main"),
        release_commit=commit,
        image=image,
        source_commit=bundle.source_commit,
        data_digest=bundle.data_digest,
        champion_version=champion.version,
        model_digest=bundle.model_digest,
        predictions=tuple(_predictions(clone, address, secrets)),
    )


def _agree(what: str, found: object, expected: object) -> None:
    if found != expected:
        raise Rejected(f"{what} is {found}, the recorded stable says {expected}", AGAIN)


def _at_main(repository: Repository, path: str) -> str:
    text = repository.show("origin/main", path)
    if text is None:
        raise Rejected(f"main holds no {path}", AGAIN)
    return text


def _rendered(repository: Repository) -> dict[str, str]:
    folder = f"k8s/rendered/{ENVIRONMENT}"
    names = repository.git("ls-tree", "--name-only", "origin/main", f"{folder}/").splitlines()
    return {name: _at_main(repository, name) for name in names if name.endswith(".yaml")}


def _predictions(clone: Path, address: str, secrets: Path) -> list[Asked]:
    """Ask about ten flights of the month that follows the data, spread evenly over it, and tell what happened."""
    folder = clone / "replay"
    month = flights.read_month(folder, flights.months(folder)[0])
    arrived = month.filter(month["arr_delay"].is_not_null())
    rows = arrived.gather_every(arrived.height // FLIGHTS).head(FLIGHTS).to_dicts()
    asked = [{name: _plain(row[name]) for name in features.READ if row[name] is not None} for row in rows]
    answers = _post(f"{address}/predict", asked)
    told = [
        {"id": answer["id"], "late": row["arr_delay"] >= TARGET_MINUTES}
        for row, answer in zip(rows, answers, strict=True)
    ]
    _post(f"{address}/feedback", told, authorization=f"Bearer {_read(secrets / 'credentials')}")
    truths = _truths(_read(secrets / "url"), [truth["id"] for truth in told])
    return [
        Asked(
            date=str(row["date"]),
            sched_dep_time=row["sched_dep_time"],
            flight=f"{row['carrier']} {row['flight']}",
            origin=row["origin"],
            dest=row["dest"],
            probability=round(answer["probability"], records.DIGITS),
            called_late=answer["late"],
            arr_delay=row["arr_delay"],
            truth=truths[answer["id"]] == 1,
        )
        for row, answer in zip(rows, answers, strict=True)
    ]


def _truths(url: str, ids: list[str]) -> dict[str, float | None]:
    """Read the ledger, once the shipper has brought these predictions there and their truth is known.

    Raises:
        Rejected: it has not.

    """
    from slipway.adapters.ledger import Ledger

    ledger = Ledger(url, read_only=True)
    deadline = time.monotonic() + SHIPPED_SECONDS
    try:
        while True:
            found = ledger.truths(ids)
            known = {identity for identity, truth in found.items() if truth is not None}
            if known == set(ids):
                return found
            if time.monotonic() > deadline:
                raise Rejected(f"the ledger knows the truth of {len(known)} of {len(ids)} predictions", AGAIN)
            time.sleep(0.1)
    finally:
        ledger.close()


def _read(path: Path) -> str:
    return files.read_bytes(path).decode().strip()


def _plain(value: object) -> object:
    return value if isinstance(value, int | float | str) else str(value)


def _get(url: str) -> Any:  # noqa: ANN401  # JSON
    return _answer(requests.Request("GET", url))


def _post(url: str, body: object, **headers: str) -> Any:  # noqa: ANN401  # JSON
    return _answer(requests.Request("POST", url, headers, json=body))


def _answer(request: requests.Request) -> Any:  # noqa: ANN401  # JSON
    try:
        with requests.Session() as session:
            answer = session.send(request.prepare(), timeout=10)
            answer.raise_for_status()
            return answer.json()
    except requests.RequestException as error:
        raise Rejected(
            f"the service does not answer {request.url}: {error}", "`slipway demo --serve` keeps it."
        ) from error
