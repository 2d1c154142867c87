"""A world whose releases come from commits of their own, with their recipe and their data, and are registered."""

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
from tests import samples, signed
from tests.outcomes import world as worlds
from tests.outcomes.world import World

from slipway import outcomes
from slipway import recipe as recipes
from slipway.adapters import dvc, files, mlflow
from slipway.adapters.git import Repository
from slipway.adapters.ledger import Ledger
from slipway.adapters.mlflow.client import connected
from slipway.changes import Change, State
from slipway.commands import settling
from slipway.identity import Signer, read
from slipway.predictions import Outcome, Prediction
from slipway.records import Check, Evidence, Package

KEY = b"a-key-of-the-tests"
AT = 1371384000  # when predictions are made: 2013-06-16 12:00 UTC, when all was proposed and nothing promoted
WORSE = Evidence(
    detail="Brier: the canary is worse by 3.1 pt, at most 2 pt are allowed.",
    blame="brier",
    requests={"stable": 900.0, "canary": 100.0},
    seconds=60.0,
    abort=4.2,
    abort_needed=3.9,
    attempt=1,
    step=1,
)


BETTER = msgspec.structs.replace(
    WORSE, detail="The canary is as harmless as it must be.", blame=None, abort=-1.0, step=4
)


class Story:
    """What a data scientist and the machines do in a world."""

    def __init__(self, folder: Path) -> None:
        self.world: World = worlds.make(folder)
        self.clone = self.world.clone

    def package(self, version: str, *, recipe: str | None = None, data: str | None = None) -> Package:
        """Commit a recipe and data, by default its own, push them, and say what is packaged from them."""
        files.write_text(self.clone / "params.yaml", f"model: {recipe or version}\n")
        files.write_text(self.clone / "dvc.yaml", "stages: {}\n")
        md5 = samples.digest(f"data {data or version}")[7:39]
        files.write_text(self.clone / "data.dvc", f"outs:\n- md5: {md5}.dir\n  path: data\n")
        for command in ("add -A", f"commit -qm Train-{version} --allow-empty", "push -q origin main"):
            self.world.git(*command.split(), folder=self.clone)
        made = samples.package(version)
        bundle = msgspec.structs.replace(
            made.bundle,
            source_commit=self.world.git("rev-parse", "HEAD", folder=self.clone),
            data_digest=dvc.data_digest(self.clone),
            recipe_digest=recipes.digest(files.read_matching(self.clone, recipes.PATTERNS)),
        )
        return msgspec.structs.replace(made, bundle=bundle)

    def release(self, version: str, environment: str = "production", *, supersede: bool = False, **made: str) -> str:
        """Package, register and release a version, as their verbs would; returns its image's digest."""
        package = self.package(version, **made)
        register(self.world.uri, package.bundle.model_digest)

        def decide(state: State, worktree: Repository) -> Change:
            reigning = state.stable_of("production")
            decided = samples.gate(package.bundle.model_digest, reigning and reigning.package.bundle.model_digest)
            decided = msgspec.structs.replace(decided, checks=(Check(name="auc", passed=True, detail="+0.01"),))
            at = worlds.AT
            change = outcomes.propose(state, package, decided, environment=environment, at=at, supersede=supersede)
            signed.write(worktree.root, package, change.release.gate)
            return change

        settling.settle(Repository(self.clone), decide)
        return package.image_digest

    def promote(self, version: str, environment: str = "production", **known: str) -> None:
        """The judge lets a release pass, and it is recorded; `cause` and `at` may be given."""
        at, cause = known.get("at", worlds.AT), known.get("cause", "verdict")

        def decide(state: State, tree: Repository) -> Change | None:
            return outcomes.promote(
                state,
                version,
                environment=environment,
                at=at,
                cause=cause,
                evidence=BETTER if cause == "verdict" else None,
                commit=lambda: settling.release_commit(tree, version, environment),
            )

        settling.settle(Repository(self.clone), decide)
        if environment == "production":
            mlflow.crown(self.world.uri, samples.package(version).bundle.model_digest)

    def abort(self, version: str, environment: str = "production") -> None:
        """The judge aborts a release, and it is recorded."""
        package, at = samples.package(version), worlds.AT

        def decide(state: State, _tree: Repository) -> Change | None:
            return outcomes.revert(
                state, package.image_digest, environment=environment, at=at, cause="verdict", evidence=WORSE
            )

        settling.settle(Repository(self.clone), decide)
        mlflow.retire(self.world.uri, package.bundle.model_digest, {})

    def predicted(self, version: str, environment: str = "production", *, truth: float | None = None) -> str:
        """A prediction of a release, in ledger.db of the clone; returns its id, signed by the key in `keys`."""
        (identity,) = Signer(KEY, environment, version, "6d4cf56db6", b"processes").ids(AT * 10**9, [0.8125])
        files.write_text(self.clone / ".git/info/exclude", "keys\nledger.db*\nmlflow.db\n")
        files.write_text(self.clone / "keys", KEY.decode() + "\n")
        ledger = Ledger(f"sqlite:///{self.clone}/ledger.db")
        origin = read(identity)
        ledger.add([Prediction(origin=origin, features=msgspec.Raw(b"{}"), decision=True)])
        if truth is not None:
            ledger.record([Outcome(origin=origin, truth=truth, received_at=AT + 3600.0)])
        ledger.close()
        return identity


def register(uri: str, model_digest: str) -> None:
    """Make a version of the registry for a model that is none, as challenger."""
    if not Path(uri.removeprefix("sqlite:///")).exists():
        Path(uri.removeprefix("sqlite:///")).write_bytes(_empty())
    with connected(uri) as client:
        if not client.search_registered_models(f"name = '{mlflow.NAME}'"):
            client.create_registered_model(mlflow.NAME)
            client.create_experiment(mlflow.NAME)
        run = client.create_run(client.get_experiment_by_name(mlflow.NAME).experiment_id)
        source, tags = f"runs:/{run.info.run_id}/model", {"model_digest": model_digest}
        version = client.create_model_version(mlflow.NAME, source, run.info.run_id, tags=tags)
        client.set_registered_model_alias(mlflow.NAME, mlflow.CHALLENGER, version.version)


@cache
def _empty() -> bytes:
    """A registry that holds nothing; MLflow takes seconds to make one."""
    with TemporaryDirectory() as folder:
        path = Path(folder, "mlflow.db")
        with connected(f"sqlite:///{path}") as client:
            client.search_registered_models()
        return path.read_bytes()
