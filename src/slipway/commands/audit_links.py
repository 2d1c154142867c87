"""Is each link of a release the one that was signed: its statement is verified, as it stands on main."""

from slipway import attestation, digests, lineage
from slipway.adapters.git import Repository
from slipway.attestation import Statement
from slipway.commands import verifying
from slipway.errors import Broken, Rejected
from slipway.lineage import Link, Signature, Source
from slipway.records import Release


def checked(
    repository: Repository, commit: str, version: str, release: Release, source: Source | None
) -> tuple[Signature | None, tuple[Link, ...]]:
    """Say who has signed a release, and hold each of its links against that, and against its source commit.

    A statement that cannot be checked, as without a root, verifies nothing and contradicts nothing.
    """
    said: Statement | None = None
    signature: Signature | None = None
    bundle, card = (repository.show(commit, str(path)) for path in verifying.committed(version))
    try:
        signature, said = _signed(repository, version, bundle)
        first = Link(name="signature", holds=True, why=f"by {signature.root}")
    except Rejected as error:
        first = Link(name="signature", holds=False, why=error.what)
    except Broken as error:
        first = Link(name="signature", holds=None, why=f"not checked: {error.what}")
    found = None if card is None else digests.of_bytes(card.encode())
    return signature, (first, *lineage.links(release, said, found, source))


def _signed(repository: Repository, version: str, bundle: str | None) -> tuple[Signature, Statement]:
    """Verify a statement, whatever release it is about.

    Raises:
        Rejected: there is none, its signature is not in order, or its run is none that may sign.
        Broken: nobody can tell.

    """
    from slipway.adapters import sigstore

    policy = verifying.policy(repository)
    root = verifying.trust(repository, policy)
    if bundle is None:
        raise Rejected(f"there is no {verifying.committed(version)[0]}: nobody has signed it", attestation.REMEDY)
    signed = sigstore.verify(bundle, root)
    said = attestation.authentic(signed.payload_type, signed.payload, policy, signed.run)
    return Signature(signer=signed.run, log_index=signed.log_index, at=signed.at, root=root.name), said
