"""`slipway sign`: the workflow says what it has built, of what, and by which decision."""

from pathlib import Path

from slipway import attestation, digests, signing
from slipway.adapters import files, tree, wheels
from slipway.adapters.git import Repository
from slipway.attestation import Lineage, Resource
from slipway.commands import BUILD, METRICS, Json, Root, emit, progress, verifying
from slipway.commands.register import admitted
from slipway.commands.verify import lines, report
from slipway.errors import Rejected
from slipway.records import Metrics, Package, RuntimeLock
from slipway.signing import Policy, Run

LOCKS = ("requirements/pipeline.txt", "requirements/serving.txt")
FEATURES = ("src/slipway/features.py", "src/slipway/schema.py")


def sign(root: Root = Path(), *, as_json: Json = False) -> None:
    """Sign the package at hand: one statement over image, bento, model and model card, with where they come from.

    No key is needed: the platform's token says which workflow of which repository runs here, Sigstore's certificate
    repeats it, and a public log keeps it. What `signing/policy.yaml` of main would refuse is not signed. Writes
    build/attestation.sigstore.json, and verifies it.

    Examples:
    ```sh
    slipway sign
    slipway sign --json
    ```
    """
    from slipway.adapters import sigstore

    repository = Repository(root.resolve())
    repository.require_clean()
    _require_locked(repository.root)
    package = files.read_record(Package, repository.root / BUILD / "package.json")
    policy = verifying.policy(repository)
    token = sigstore.ambient()
    run = sigstore.run_of(token)
    _require_fit(policy, run, package)
    trust = verifying.trust(repository, policy)
    said = attestation.statement(
        _lineage(repository.root, package),
        run,
        card=digests.of_bytes(files.read_bytes(repository.root / verifying.CARD)),
        dependencies=tuple(_dependencies(repository.root, package)),
        byproducts=tuple(_byproducts(repository.root)),
    )
    with progress.status(f"signing {package.bundle.version} with {trust.name}"):
        bundle = sigstore.sign(attestation.write(said), token, trust)
    files.write_text(repository.root / verifying.SIGNED, bundle + "\n")
    signed = report(verifying.built(repository))
    emit(signed, lines(signed, "signed"), as_json=as_json)


def _require_fit(policy: Policy, run: Run, package: Package) -> None:
    """What would be refused is not signed: a public log forgets nothing."""
    for fault in signing.faults(policy, run):
        raise Rejected(f"this run may not sign: {fault}", f"See {verifying.POLICY} of main.")
    if run.commit != package.bundle.source_commit:
        raise Rejected(
            f"the package is of {package.bundle.source_commit}, this run is of {run.commit}",
            "Package in the run that signs.",
        )


def _require_locked(root: Path) -> None:
    """The statement names the locks that the model was built with: they must be what is installed."""
    lock = LOCKS[0]
    if other := wheels.unlike(files.read_bytes(root / lock).decode()):
        raise Rejected(
            f"what is installed here is not {lock}: {', '.join(other[:3])}",
            "In a workflow: `slipway platform build`, and name that image in .github/workflows.",
        )


def _lineage(root: Path, package: Package) -> Lineage:
    gate = admitted(root)
    return Lineage(
        package=package,
        parent_model=gate.champion,
        gate=gate,
        metrics=files.read_record(Metrics, root / METRICS),
        bento=verifying.extract(root / BUILD / "bentos" / package.bundle.version / "bento"),
    )


def _dependencies(root: Path, package: Package) -> list[Resource]:
    data = digests.of_tree(tree.read(root / "data"))
    runtime = files.read_record(RuntimeLock, root / "bentos/flights/runtime.lock.json")
    return [
        attestation.resource("data", data, dvc=package.bundle.data_digest),
        attestation.resource("recipe", package.bundle.recipe_digest),
        attestation.resource(
            "features", digests.of_tree({name: (files.read_bytes(root / name), False) for name in FEATURES})
        ),
        *(attestation.resource(name, digests.of_bytes(files.read_bytes(root / name))) for name in LOCKS),
        attestation.resource("runtime image", runtime.manifest_digest),
    ]


def _byproducts(root: Path) -> list[Resource]:
    return [
        attestation.resource(str(path), digests.of_bytes(files.read_bytes(root / path)))
        for path in (METRICS, BUILD / "gate.json")
    ]
