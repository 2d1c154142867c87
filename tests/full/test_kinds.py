"""Every field that our types accept, and each of the platform, is one that the real cluster knows, by its schemas."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from msgspec import inspect

from slipway.adapters import files
from slipway.manifests import tree
from slipway.manifests.kinds import KINDS

CRDS = {  # module -> its hash, and where its custom resources are
    "github.com/argoproj/argo-rollouts@v1.10.1": (
        "h1:6oyVPGiHHxu3ixkT6mngemh88HLPDoTX1IwO6KNR1Y4=",
        "manifests/crds/*-crd.yaml",
    ),
    "github.com/argoproj/argo-cd/v3@v3.2.11": (
        "h1:3hkR11XCp/nlyM2cWr3qeUSGuZgi3JkFdMpzgL5qOR8=",
        "manifests/crds/*-crd.yaml",
    ),
    "github.com/traefik/traefik/v3@v3.7.9": (
        "h1:RxOqG3Wtvl1F5yCDr2ZxAg21YU3QCh/m0tae3Su4BZ8=",
        "docs/content/reference/dynamic-configuration/traefik.io_*.yaml",
    ),
    "github.com/prometheus-operator/prometheus-operator@v0.85.0": (
        "h1:M5xLCLEoaW2IJfnuCwFzzpL+jSVQu3KGT84Pye+fW8s=",
        "example/prometheus-operator-crd/*_servicemonitors.yaml",
    ),
}
KUBERNETES = ("k8s.io/kubernetes@v1.34.4", "h1:Yy6R4QB8C9kJPp25GFqEvX5XQwY5qzKeqD0Xx6oAcmk=")
NAMES = {inspect.StrType: "string", inspect.IntType: "integer", inspect.BoolType: "boolean"}
PLAIN = {"object": dict, "array": list, "string": str, "integer": int, "boolean": bool}
ROOT = Path(__file__).parents[2]
PLATFORM = [
    each
    for folder in ("k8s/rendered/platform", "argocd/platform")
    for each in tree.objects(files.read_texts(ROOT / folder, "*.yaml"))
]
META = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"


def _download(module: str, digest: str, folder: Path) -> Path:
    environment = {"GOTOOLCHAIN": "local", "GONOSUMDB": "*", "GOFLAGS": "-mod=mod"}  # the hash is compared here
    command = [
        "env",
        *(f"{key}={value}" for key, value in environment.items()),
        "go",
        "mod",
        "download",
        "-json",
        module,
    ]
    found = json.loads(subprocess.run(command, cwd=folder, capture_output=True, check=True).stdout)
    assert found["Sum"] == digest
    return Path(found["Dir"])


@pytest.fixture(scope="module")
def definitions(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Schemas of Kubernetes' own objects by name."""
    swagger = _download(*KUBERNETES, tmp_path_factory.mktemp("go")) / "api/openapi-spec/swagger.json"
    found: dict[str, Any] = json.loads(swagger.read_text())["definitions"]
    return found


@pytest.fixture(scope="module")
def schemas(definitions: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], Any]:
    """Schemas of all objects by (apiVersion, kind)."""
    found = {}
    for schema in definitions.values():
        for gvk in schema.get("x-kubernetes-group-version-kind", []):
            found["/".join(filter(None, (gvk["group"], gvk["version"]))), gvk["kind"]] = schema
    for module, (digest, pattern) in CRDS.items():
        for path in _download(module, digest, tmp_path_factory.mktemp("go")).glob(pattern):
            spec = yaml.load(path.read_text(), yaml.CSafeLoader)["spec"]
            for version in spec["versions"]:
                key = f"{spec['group']}/{version['name']}", spec["names"]["kind"]
                found[key] = version["schema"]["openAPIV3Schema"]
    return found


def _differences(ours: Any, schema: Any, definitions: dict[str, Any], path: str) -> Iterator[str]:
    """Yield where a type of ours accepts what the schema does not know, or leaves out what it demands."""
    schema = definitions[schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema
    ours = next(each for each in ours.types if type(each) is not inspect.NoneType) if hasattr(ours, "types") else ours
    ours = ours.type if isinstance(ours, inspect.Metadata) else ours
    if isinstance(ours, inspect.StructType):
        yield from _of_struct(ours, schema, definitions, path)
    elif isinstance(ours, inspect.VarTupleType):
        yield from _differences(ours.item_type, schema.get("items", {}), definitions, f"{path}[]")
    elif isinstance(ours, inspect.TupleType):
        for item in ours.item_types:
            yield from _differences(item, schema.get("items", {}), definitions, f"{path}[]")
    elif isinstance(ours, inspect.DictType):
        yield from () if "additionalProperties" in schema else (f"{path}: no map",)
    else:
        yield from _of_value(ours, schema, path)


def _of_struct(ours: inspect.StructType, schema: Any, definitions: dict[str, Any], path: str) -> Iterator[str]:
    known = definitions[META]["properties"] if path.endswith(".metadata") else schema.get("properties", {})
    for field in ours.fields:
        found = known.get(field.encode_name, schema.get("additionalProperties"))
        at = f"{path}.{field.encode_name}"
        yield from _differences(field.type, found, definitions, at) if found else (f"{at}: unknown",)
    demanded = set(schema.get("required", ())) - {field.encode_name for field in ours.fields if field.required}
    yield from (f"{path}.{name}: demanded" for name in demanded)


def _of_value(ours: Any, schema: Any, path: str) -> Iterator[str]:
    if schema.get("x-kubernetes-int-or-string") or schema.get("format") == "int-or-string":
        return
    values = ours.values if isinstance(ours, inspect.LiteralType) else ()
    type_ = ("integer" if isinstance(values[0], int) else "string") if values else NAMES[type(ours)]
    if type_ != schema.get("type"):
        yield f"{path}: {type_}, not {schema.get('type')}"
    if not set(values) <= set(schema.get("enum", values)):
        yield f"{path}: {values} are not all among {schema['enum']}"


@pytest.mark.parametrize(("version", "kind"), KINDS)
def test_the_cluster_knows_what_we_accept(schemas: Any, definitions: Any, version: str, kind: str) -> None:
    """Each field of a type exists, with that kind of value, and what the cluster demands is demanded."""
    ours = inspect.type_info(KINDS[version, kind])
    assert list(_differences(ours, schemas[version, kind], definitions, kind)) == []


def test_a_field_that_does_not_exist_is_found(schemas: Any, definitions: Any) -> None:
    """The comparison is not blind: against another kind's schema a type differs in many places."""
    ours = inspect.type_info(KINDS["argoproj.io/v1alpha1", "Rollout"])
    found = list(_differences(ours, schemas["apps/v1", "Deployment"], definitions, "Rollout"))
    assert "Rollout.spec.workloadRef: unknown" in found
    assert "Rollout.spec.selector: demanded" in found


def _misfits(value: Any, schema: Any, definitions: dict[str, Any], path: str) -> Iterator[str]:
    """Yield where a value has what its schema does not know, lacks what it demands, or is of another type."""
    schema = definitions[schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema
    if schema.get("x-kubernetes-int-or-string") or schema.get("format") == "int-or-string" or "type" not in schema:
        return
    if type(value) is not PLAIN[schema["type"]]:
        yield f"{path}: not {schema['type']}"
    elif isinstance(value, list):
        for each in value:
            yield from _misfits(each, schema["items"], definitions, f"{path}[]")
    elif isinstance(value, dict):
        known = schema.get("properties", {})
        if path.endswith(".metadata") and not known:
            known = definitions[META]["properties"]
        yield from (f"{path}.{key}: demanded" for key in schema.get("required", ()) if key not in value)
        for key, each in value.items():
            found = known.get(key, schema.get("additionalProperties"))
            at = f"{path}.{key}"
            yield from _misfits(each, found, definitions, at) if found else (f"{at}: unknown",)


def _label(each: Any) -> str:
    return "/".join(filter(None, (each["kind"], each["metadata"].get("namespace"), each["metadata"]["name"])))


@pytest.mark.parametrize("each", PLATFORM, ids=_label)
def test_the_cluster_knows_what_runs_beside_the_services(schemas: Any, definitions: Any, each: Any) -> None:
    """Each object of the platform is whole, by the schema of its kind; misspelt anywhere it is not."""
    schema = schemas[each["apiVersion"], each["kind"]]
    assert list(_misfits(each, schema, definitions, each["kind"])) == []
    assert list(_misfits(each | {"sepc": {}}, schema, definitions, each["kind"])) == [f"{each['kind']}.sepc: unknown"]
    for key in each.get("spec", {}):
        wrong = each | {"spec": {f"{key}x": value for key, value in each["spec"].items()}}
        assert f"{each['kind']}.spec.{key}x: unknown" in list(_misfits(wrong, schema, definitions, each["kind"]))
