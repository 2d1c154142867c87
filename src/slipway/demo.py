"""What the demo tells: the steps of the story as the commands a person would type, and how its facts are compared."""

from dataclasses import dataclass

import msgspec


class Asked(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A real flight, what the release said of it, and what happened."""

    date: str
    sched_dep_time: int
    flight: str
    origin: str
    dest: str
    probability: float
    called_late: bool
    arr_delay: int
    truth: bool  # what the ledger says of this prediction: late


class DemoResult(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """build/demo/result.json: what Git, MLflow and the running service say when the demo is over."""

    schema_version: int = 1
    version: str  # Git: production's recorded stable
    git_head: str
    release_commit: str
    image: str  # Git: what Argo CD would apply
    source_commit: str
    data_digest: str
    champion_version: str  # MLflow
    model_digest: str
    predictions: tuple[Asked, ...]  # the service, and the ledger


@dataclass(frozen=True)
class Step:
    """One command line of the story, and where a person looks at what it did."""

    title: str
    command: str
    look: str


UI = "mlflow ui --backend-store-uri sqlite:///build/demo/mlflow.db"
STEPS = (
    Step(
        "pull the data, January to April", "dvc pull --quiet data.dvc replay.dvc", "data/; what happens next: replay/"
    ),
    Step("validate, prepare, train, evaluate", "dvc repro", "artifacts/metrics.json, `dvc dag`, `dvc plots show`"),
    Step("note the run", "slipway track", f"`{UI}`"),
    Step("decide: there is no champion yet", "slipway gate --first", "build/gate.json"),
    Step("build the bento and its image", "slipway package", "build/package.json, build/images"),
    Step("register the model as challenger", "slipway register", f"`{UI}`, Models"),
    Step("release: one commit, pushed", "slipway release", "`git log`, releases/, k8s/rendered/production"),
)


def promotion(version: str) -> Step:
    """Record the first release, which serves, as stable and champion: there is nothing to judge it by."""
    return Step(
        "record it: stable, and champion",
        f"slipway promote {version}",
        "releases/stable.json, the alias `champion` in MLflow",
    )


def chain(prediction: Asked, result: DemoResult) -> str:
    """The way back from the truth about one prediction to the data, one link a line."""
    return (
        f"\n[bold]From a truth back to the data[/]\n"
        f"  truth       {'late' if prediction.truth else 'on time'}, told to /feedback, now in the ledger\n"
        f"  prediction  {prediction.flight} on {prediction.date}: P(late) = {prediction.probability:.3f}\n"
        f"  release     {result.version}, image {result.image}\n"
        f"  model       version {result.champion_version} in the registry, champion, {result.model_digest}\n"
        f"  commit      {result.source_commit}  [dim](release commit {result.release_commit[:12]})[/]\n"
        f"  data        {result.data_digest}  [dim](data.dvc of that commit)[/]"
    )


def differences(told: DemoResult, found: DemoResult) -> list[str]:
    """Each fact that is not what it was, in words."""
    before, now = msgspec.to_builtins(told), msgspec.to_builtins(found)
    return [f"{name} was {before[name]}, is {now[name]}" for name in before if before[name] != now[name]]
