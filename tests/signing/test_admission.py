"""What a cluster asks for at admission says what the signing policy says, and nobody forgets to say it anew."""

import shutil
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml
from tests.conftest import ROOT

from slipway import admission, signing
from slipway.adapters import files
from slipway.commands import manifests, policy, verifying
from slipway.errors import Rejected
from slipway.manifests import tree
from slipway.signing import Policy

CHANGES: dict[str, Any] = {
    "issuer": "https://issuer.example.com",
    "repository": "https://github.com/another/fork",
    "workflow": ".github/workflows/another.yml",
    "ref": "refs/heads/another",
    "triggers": ("workflow_call",),
    "runner": "self-hosted",
    "predicate_types": ("https://example.com/another/v1",),
}


def released(root: Path) -> str:
    """Name the image that releases of a repository are of."""
    return tree.image_of(files.read_texts(root / "k8s/next/production", "*.yaml")).removesuffix(tree.UNRELEASED)


@pytest.fixture
def asked() -> Policy:
    """The policy that ships."""
    return signing.parse(yaml.safe_load((ROOT / verifying.POLICY).read_text()), "the policy")


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A tree that `manifests check` accepts."""
    for folder in ("k8s", "rollouts", "argocd", "signing"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    return tmp_path


def rendered(asked: Policy) -> dict[str, str]:
    """What it makes of an image and two namespaces."""
    return admission.render(asked, ["registry.example.org:5000/flights"], ["one", "two"])


def test_every_fact_that_may_change_is_tried() -> None:
    """A field that the policy gets later must be thought of here."""
    assert {"schema_version", "root", *CHANGES} == set(Policy.__struct_fields__)


@pytest.mark.parametrize("field", CHANGES)
def test_each_fact_of_a_signer_reaches_both(asked: Policy, field: str) -> None:
    """Another issuer, repository, workflow, ref, trigger, runner or predicate type asks for another signer in both."""
    changed = msgspec.structs.replace(asked, **{field: CHANGES[field]})
    before, after = rendered(asked), rendered(changed)
    value = CHANGES[field] if isinstance(CHANGES[field], str) else CHANGES[field][0]
    assert set(after) == {admission.KYVERNO, admission.CONTROLLER}
    for name, text in after.items():
        assert text != before[name]
        assert value in text
        assert value not in before[name]


def test_several_of_a_kind_are_each_enough(asked: Policy) -> None:
    """Two predicate types are asked for by name each, joined by or; in the other one authority for each."""
    several = msgspec.structs.replace(asked, predicate_types=("https://example.com/a", "https://example.com/b"))
    kyverno, controller = (yaml.safe_load(text)["spec"] for text in rendered(several).values())
    types = [one["intoto"]["type"] for one in kyverno["attestations"]]
    kinds = [one["attestations"][0]["predicateType"] for one in controller["authorities"]]
    assert types == kinds == list(several.predicate_types)
    assert [each["expression"].count("||") for each in kyverno["validations"]] == [1, 1]
    assert all(f"attestations.statement{number}" in kyverno["validations"][0]["expression"] for number in (0, 1))


def test_nothing_is_let_through_in_silence(asked: Policy) -> None:
    """Where releases run every image is asked for its statement; a controller that fails refuses."""
    kyverno, controller = (yaml.safe_load(text)["spec"] for text in rendered(asked).values())
    assert (kyverno["failurePolicy"], kyverno["validationActions"]) == ("Fail", ["Deny"])
    assert kyverno["matchImageReferences"] == [{"glob": "*"}]
    assert kyverno["validationConfigurations"]["verifyDigest"]
    assert controller["mode"] == "enforce"
    assert [each["glob"] for each in controller["images"]] == [
        f"registry.example.org:5000/flights{end}*" for end in ":@"
    ]


def test_a_sigstore_of_ones_own_gets_none(asked: Policy) -> None:
    """Its root is an object of the cluster, which the policy cannot name."""
    assert rendered(msgspec.structs.replace(asked, root="signing/trust.json")) == {}
    assert rendered(msgspec.structs.replace(asked, root=signing.OFFLINE)) == rendered(asked)


def test_what_is_committed_is_what_the_policy_makes() -> None:
    """The repository's own files; the namespaces are those that Argo CD applies to, the image that of the manifests."""
    assert policy.faults(ROOT) == []
    kyverno, controller = (yaml.safe_load(text)["spec"] for text in policy.rendered(ROOT).values())
    applied = [yaml.safe_load((ROOT / "argocd" / name).read_text()) for name in ("staging.yaml", "production.yaml")]
    (where,) = kyverno["matchConstraints"]["namespaceSelector"]["matchExpressions"]
    assert where["values"] == [each["spec"]["destination"]["namespace"] for each in applied]
    assert controller["images"][0]["glob"] == f"{released(ROOT)}:*"


def test_a_policy_that_is_not_rendered_is_refused(copy: Path) -> None:
    """`manifests check` names the folder; `policy render` mends it, for another image too."""
    path = copy / verifying.POLICY
    path.write_text(path.read_text().replace("release.yml", "another.yml"))
    with pytest.raises(Rejected, match="signing/admission"):
        manifests.check(copy)
    policy.render(copy)
    manifests.check(copy)
    assert "another.yml@" in (copy / policy.FOLDER / admission.KYVERNO).read_text()
    files.write_text(copy / policy.FOLDER / "by-hand.yaml", "kind: None\n")
    assert policy.faults(copy) != []


def test_trees_that_are_faulty_themselves_are_told_of(copy: Path) -> None:
    """Without a Rollout nothing can be rendered for admission: the rule about it is what is said."""
    (rollout,) = (copy / "k8s/next/production").glob("*_rollout_*.yaml")
    rollout.unlink()
    with pytest.raises(Rejected, match="Rollout"):
        manifests.check(copy)


def test_an_environment_may_have_an_image_of_its_own(copy: Path) -> None:
    """Both names are asked about."""
    ours, other = released(copy), "registry.example.com/trial"
    for path in (copy / "k8s/next/staging").glob("*.yaml"):
        path.write_text(path.read_text().replace(f"{ours}:", f"{other}:"))
    policy.render(copy)
    spec = yaml.safe_load((copy / policy.FOLDER / admission.CONTROLLER).read_text())["spec"]
    assert [each["glob"] for each in spec["images"]] == [
        f"{name}{end}*" for name in sorted((ours, other)) for end in ":@"
    ]
