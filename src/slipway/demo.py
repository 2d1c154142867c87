"""What the demo tells: the steps of the story as the commands a person would type, and how its facts are compared."""

from collections.abc import Iterator
from dataclasses import dataclass

import msgspec

from slipway.records import Cause, EventKind


class _Frozen(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    pass


class Asked(_Frozen, frozen=True, kw_only=True):
    """A real flight, what the first release said of it, and what happened; all as the ledger has it."""

    id: str
    date: str
    sched_dep_time: int
    flight: str
    origin: str
    dest: str
    probability: float
    called_late: bool
    arr_delay: int
    truth: bool  # what the ledger says of this prediction: late


class Scene(_Frozen, frozen=True, kw_only=True):
    """A release, or a rollback to one, and how it ended."""

    number: int
    release: str
    verdict: EventKind  # Git
    cause: Cause | None
    blame: str | None
    requests: dict[str, float]  # Git: what the judge has compared, by arm; where it was not asked, the ledger's count
    seconds: float  # Git: that the verdict took; where there was none, in which both arms answered, by the ledger
    git_head: str  # the commit that recorded it
    detail: str | None
    source_commit: str
    data_digest: str
    model_digest: str
    image: str
    registered: str  # MLflow: the version of its model
    predictions: int  # the ledger: of this release, in all scenes
    truths: int


class Refusal(_Frozen, frozen=True, kw_only=True):
    """A model on the branch `retrain` that may not be released: its recipe stands in the quarantine."""

    git_head: str  # of the branch
    recipe_digest: str
    data_digest: str
    release: str  # that the recipe was quarantined with


class DemoResult(_Frozen, frozen=True, kw_only=True):
    """build/demo/result.json: what Git, MLflow and the ledger say when the demo is over."""

    schema_version: int = 2
    version: str  # Git: production's recorded stable
    git_head: str
    champion_version: str  # MLflow
    champion_digest: str
    scenes: tuple[Scene, ...]
    refused: Refusal | None
    predictions: tuple[Asked, ...]


@dataclass(frozen=True)
class Step:
    """One command line of the story, and where a person looks at what it did."""

    title: str
    command: str
    look: str
    by: str = "slipway"  # who commits
    ends: int = 0  # the exit code that the story asks for
    shown: bool = False  # what it prints is part of the story
    live: bool = False  # it draws on a terminal while it runs


COLLEAGUE, REVIEWER = "A hurried colleague", "A reviewer"
MONTHS = ("2013-05", "2013-06", "2013-07")  # that arrive
HALF = "2013-06-15"  # as far as June has come when it arrives first
WINDOW = ("2013-06-16", "2013-06-30")  # of the live flights
SEED = 2013
PLANTED = (  # the leak: file, what stands there, what the colleague makes of it
    ("src/slipway/features.py", '    _number("year"),\n', '    _number("year"),\n    _number("dep_delay"),\n'),
    (
        "src/slipway/schema.py",
        '"minutes of delay at departure", known=Known.AFTER',
        '"minutes of delay at departure"',
    ),
)
UI = "mlflow ui --backend-store-uri sqlite:///build/demo/mlflow.db"

PULL = Step("pull the data, January to April", "dvc pull --quiet data.dvc replay.dvc", "data/; what follows: replay/")
TRAIN = Step("validate, prepare, train, evaluate", "dvc repro", "artifacts/metrics.json, `dvc plots show`")
FIRST_GATE = Step("decide: there is no champion yet", "slipway gate --first", "build/gate.json")
GATE = Step("decide: against the champion", "slipway gate", "build/gate.json")
SHIP = (
    Step("build bento, image and model card", "slipway package", "build/package.json, build/images; `slipway card`"),
    Step("sign them, and where they come from", "slipway sign", "build/attestation.sigstore.json, `slipway verify`"),
    Step("register the model as challenger", "slipway register", f"`{UI}`, Models"),
    Step("release: one commit, pushed", "slipway release", "`git log`, releases/, k8s/rendered/production"),
)
TRACK = Step("track what has arrived", "dvc add --quiet data", "data.dvc")
PUSH = Step("push", "git push --quiet origin HEAD:main", "`git log`")
STORE = Step("send it to the remote", "dvc push --quiet data.dvc", "build/demo/remote")
DATA = (TRACK, STORE, Step("commit", 'git commit --quiet -am "Add May, and June to the 15th"', "data.dvc"), PUSH)
LEAK = (
    Step(
        "train on the delay at departure",
        "dvc repro",
        "`git diff`: a feature, and when the catalogue says that it is known",
    ),
    Step("commit", 'git commit --quiet -am "Tell the model how late a flight departs"', "`git show`", by=COLLEAGUE),
    PUSH,
)
AGAIN = (
    Step("try again, on new data", "git switch --quiet --create retrain", "`git branch`"),
    TRACK,
    STORE,
    TRAIN,
    Step("commit", 'git commit --quiet -am "Add the rest of June, and July"', "`git show`, a new model", by=COLLEAGUE),
    Step("refused: its recipe is quarantined", "slipway gate", "build/gate.json, `slipway quarantine list`", ends=1),
)


def ending(*, short: bool) -> tuple[Step, ...]:
    """What is seen at the end; the short demo ends before a rehearsal has played what Git says."""
    with_it = "" if short else " --rehearsal build/rehearsal"
    return (
        Step("what Git says", "git log --oneline --max-count=15 origin/main", "build/demo/clone", shown=True),
        Step("what was live, and why it left", "slipway history", "releases/", shown=True),
        Step("the planes agree", f"slipway status{with_it}", "exit code 0", shown=True),
    )


def promotion(version: str) -> Step:
    """Record the first release, which serves, as stable and champion: there is nothing to judge it by."""
    return Step(
        "record it: stable, and champion",
        f"slipway promote {version}",
        "releases/stable.json, the alias `champion` in MLflow",
    )


def rehearsal(title: str, seed: int, *, promoted: bool) -> Step:
    """Play the canary. Days of a cluster are minutes here, and it says so: times, never evidence."""
    times = "--speed 10 --set bake=0s --set maturity=20s --set cycle=0s --set deadline=40m"
    first, last = WINDOW
    return Step(
        title,
        f"slipway rehearse --first {first} --last {last} {times} --seed {seed} --ledger sqlite:///../ledger.db",
        "build/rehearsal/production/report.html",
        ends=0 if promoted else 1,
        live=True,
    )


def merge(version: str) -> tuple[Step, ...]:
    """Take the pull request that reverts what was at fault."""
    branch = f"slipway/revert-{version}"
    return (
        Step("back to main", "git switch --quiet main", "`git status`"),
        Step("fetch the branch of the pull request", "git fetch --quiet origin", f"`git show origin/{branch}`"),
        Step("review and merge it", f"git merge --quiet --no-ff --no-edit origin/{branch}", "`git log`", by=REVIEWER),
        PUSH,
        Step("the data of main", "dvc checkout --quiet", "data/"),
    )


def rollback(version: str) -> Step:
    """Go back, for a reason that no judge knows."""
    return Step(
        "go back, whatever the evidence says",
        f'slipway rollback --to {version} --why "the desk asks for the model of April"',
        "releases/, the annotation slipway.dev/rollback in k8s/rendered/production",
    )


def refusals(stable: str, left: str) -> tuple[Step, ...]:
    """Everybody who must see that a signed statement was changed, and what he says."""
    ways = (
        ("verify", f"slipway verify {stable}"),
        ("register", "slipway register"),
        ("release", "slipway release --supersede"),
        ("the check of a pull request", "slipway manifests check"),
        ("rollback", f'slipway rollback --to {left} --why "who changes statements wants it"'),
        ("serve", f"slipway serve --release {stable}"),
        ("gate: the champion", "slipway gate"),  # last: its refusal would be the reason of others
    )
    return tuple(Step(title, command, "attestations/", ends=1) for title, command in ways)


def told(scene: Scene) -> str:
    """How a scene ended, in a line or two."""
    colour = "red" if scene.verdict == "reverted" else "green"
    compared = " and ".join(f"{count:,.0f} of {arm}" for arm, count in scene.requests.items())
    blame = f", blame {scene.blame}" if scene.blame else ""
    cause = f"cause {scene.cause}{blame}"
    return (
        f"  [{colour}]{scene.release} {scene.verdict}[/], {cause}: {compared} in {scene.seconds:.0f} s"
        f"  [dim]{scene.git_head[:12]}[/]\n  {scene.detail or ''}"
    )


def chain(prediction: Asked, scene: Scene) -> str:
    """The way back from the truth about one prediction to the data, one link a line."""
    return (
        f"\n[bold]From a truth back to the data[/]\n"
        f"  truth       {'late' if prediction.truth else 'on time'}, told to /feedback, now in the ledger\n"
        f"  prediction  {prediction.flight} on {prediction.date}: P(late) = {prediction.probability:.3f}\n"
        f"  release     {scene.release}, image {scene.image}\n"
        f"  model       version {scene.registered} in the registry, {scene.model_digest}\n"
        f"  commit      {scene.source_commit}  [dim](recorded by {scene.git_head[:12]})[/]\n"
        f"  data        {scene.data_digest}  [dim](data.dvc of that commit)[/]"
    )


def differences(told: DemoResult, found: DemoResult) -> Iterator[str]:
    """Each fact that is not what it was, in words."""
    before, now = (dict(_facts("", msgspec.to_builtins(one))) for one in (told, found))
    for name in before | now:
        if before.get(name) != now.get(name):
            yield f"{name} was {before.get(name)}, is {now.get(name)}"


def _facts(name: str, value: object) -> Iterator[tuple[str, object]]:
    if isinstance(value, dict | list | tuple):
        parts = value.items() if isinstance(value, dict) else enumerate(value, 1)
        for key, part in parts:
            yield from _facts(f"{name}.{key}".lstrip("."), part)
    else:
        yield name, value
