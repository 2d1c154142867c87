"""docs/doctor.md: it explains each check, and the rights that it lists are those that are used."""

import re

import yaml
from tests.conftest import ROOT
from tests.doctor.live import PLURALS, Live
from tests.doctor.test_checks import asked

from slipway import doctor

PAGE = (ROOT / "docs/doctor.md").read_text(encoding="utf-8")
PATH = re.compile(r"/apis?/(?:([^/]+)/)?v1[^/]*(?:/namespaces/[^/]+)?/([a-z]+)(/[^/]+)?(/proxy)?")


def test_every_check_is_explained() -> None:
    """Each stands in the table, in the order in which it is told, and nothing else does."""
    table = PAGE.partition("| check |")[2].partition("\n\n")[0]
    assert re.findall(r"^\| `([\w-]+)` \|", table, re.MULTILINE) == [*doctor.CLUSTER, *doctor.ENVIRONMENT]


def test_the_rights_are_enough_and_all_used() -> None:
    """The ClusterRole covers each path that a look asks for; each of its resources is asked for by some."""
    (block,) = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    given = {
        (group, resource, verb)
        for rule in yaml.safe_load(block)["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }
    live = Live()
    live.get("IngressRoute", "flights")["spec"]["tls"] = {"secretName": "web"}
    needed = set()
    for path in asked(live) - {"/version"}:
        found = PATH.match(path.partition("?")[0])
        assert found, path
        group, plural, name, proxied = found.groups()
        needed.add((group or "", f"{plural}/proxy" if proxied else plural, "get" if name else "list"))
    assert needed <= given
    assert {resource for _, resource, _ in given} == {resource for _, resource, _ in needed}
    assert {resource.partition("/")[0] for _, resource, _ in needed} <= {
        *PLURALS.values(),
        "daemonsets",
        "statefulsets",
    }
