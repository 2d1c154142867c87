"""The signing policy as a cluster asks for it at admission: for Kyverno, and for Sigstore's policy-controller. Pure.

Both know of a certificate its issuer and its signer only. Repository, trigger and runner they can ask of the predicate
alone, which whoever signs has written: `slipway verify` holds these to the certificate, a cluster cannot.
"""

import json
from collections.abc import Iterable, Sequence
from typing import Any

import yaml

from slipway import signing
from slipway.signing import Policy

KYVERNO, CONTROLLER = "kyverno.yaml", "policy-controller.yaml"
NAME = "slipway-releases"
FULCIO, REKOR = "https://fulcio.sigstore.dev", "https://rekor.sigstore.dev"
HEAD = """\
# Made from signing/policy.yaml by `slipway policy render`: change that, not this. The registry must hold a statement
# about the image, and `slipway sign` puts none there: docs/signing.md says what does. Never run in a cluster by us.
"""


def render(policy: Policy, images: Sequence[str], namespaces: Sequence[str]) -> dict[str, str]:
    """Say the policy to both, by file name; nothing for a Sigstore of your own, whose root a cluster has as an object.

    `images` are names without tag, `namespaces` those that releases run in: there nothing else may.
    """
    if policy.root not in (signing.PUBLIC_GOOD, signing.OFFLINE):
        return {}
    made = {KYVERNO: _kyverno(policy, namespaces), CONTROLLER: _controller(policy, images)}
    return {name: HEAD + _dumped(found) for name, found in made.items()}


def _kyverno(policy: Policy, namespaces: Sequence[str]) -> dict[str, Any]:
    kinds = {f"statement{number}": kind for number, kind in enumerate(policy.predicate_types)}
    signed = (f"verifyAttestationSignatures(image, attestations.{name}, [attestors.workflow]) > 0" for name in kinds)
    fits = (f"[extractPayload(image, attestations.{name})].all(said,\n{_cel(policy)})" for name in kinds)
    where = {"key": "kubernetes.io/metadata.name", "operator": "In", "values": list(namespaces)}
    pods = {
        "apiGroups": [""],
        "apiVersions": ["v1"],
        "operations": ["CREATE", "UPDATE"],
        "resources": ["pods", "pods/ephemeralcontainers"],
    }
    return {
        "apiVersion": "policies.kyverno.io/v1",
        "kind": "ImageValidatingPolicy",
        "metadata": {"name": NAME},
        "spec": {
            "failurePolicy": "Fail",
            "validationActions": ["Deny"],
            "webhookConfiguration": {"timeoutSeconds": 30},
            "matchConstraints": {"namespaceSelector": {"matchExpressions": [where]}, "resourceRules": [pods]},
            "matchImageReferences": [{"glob": "*"}],
            "validationConfigurations": {"mutateDigest": False, "verifyDigest": True, "required": True},
            "attestors": [
                {
                    "name": "workflow",
                    "cosign": {"keyless": {"identities": [_identity(policy)]}, "ctlog": {"url": REKOR}},
                }
            ],
            "attestations": [{"name": name, "intoto": {"type": kind}} for name, kind in kinds.items()],
            "validations": [
                {"message": f"no statement about this image is signed by {policy.signer}", "expression": _any(signed)},
                {
                    "message": "its statement is of a run that signing/policy.yaml does not allow",
                    "expression": _any(fits),
                },
            ],
        },
    }


def _any(terms: Iterable[str]) -> str:
    every = "(images.containers + images.initContainers + images.ephemeralContainers).all(image,\n  "
    return every + " ||\n  ".join(terms) + ")\n"


def _cel(policy: Policy) -> str:
    asked = (
        f"said.buildDefinition.externalParameters.workflow.repository == {json.dumps(policy.repository)}",
        f"said.buildDefinition.internalParameters.github.event_name in {json.dumps(policy.triggers)}",
        f"said.buildDefinition.internalParameters.github.runner_environment == {json.dumps(policy.runner)}",
    )
    return " &&\n".join(f"    {line}" for line in asked)


def _controller(policy: Policy, images: Sequence[str]) -> dict[str, Any]:
    authorities = (
        {
            "name": f"workflow{number}",
            "signatureFormat": "bundle",
            "keyless": {"url": FULCIO, "identities": [_identity(policy)]},
            "ctlog": {"url": REKOR},
            "attestations": [
                {"name": "statement", "predicateType": kind, "policy": {"type": "rego", "data": _rego(policy)}}
            ],
        }
        for number, kind in enumerate(policy.predicate_types)
    )
    return {
        "apiVersion": "policy.sigstore.dev/v1beta1",
        "kind": "ClusterImagePolicy",
        "metadata": {"name": NAME},
        "spec": {
            "mode": "enforce",
            "images": [{"glob": f"{image}{end}*"} for image in images for end in ":@"],
            "authorities": list(authorities),  # one that is content is enough
        },
    }


def _rego(policy: Policy) -> str:
    return f"""\
package sigstore
import rego.v1
default isCompliant := false
isCompliant if {{
  input.predicate.buildDefinition.externalParameters.workflow.repository == {json.dumps(policy.repository)}
  input.predicate.buildDefinition.internalParameters.github.event_name in {json.dumps(policy.triggers)}
  input.predicate.buildDefinition.internalParameters.github.runner_environment == {json.dumps(policy.runner)}
}}
"""


def _identity(policy: Policy) -> dict[str, str]:
    return {"issuer": policy.issuer, "subject": policy.signer}


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, _data: object) -> bool:
        return True


_Dumper.add_representer(
    str,
    lambda dumper, text: dumper.represent_scalar(
        "tag:yaml.org,2002:str", text, style="|" if text.endswith("\n") else None
    ),
)


def _dumped(found: dict[str, Any]) -> str:
    return str(yaml.dump(found, Dumper=_Dumper, sort_keys=False, width=1000))
