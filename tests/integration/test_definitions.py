"""The generated CustomResourceDefinitions before a real kube-apiserver: it takes them and agrees with our defaults."""

from __future__ import annotations

import json
import subprocess
import uuid
from pathlib import Path
from typing import Any

import pytest
import yaml

from groundplane.api.examples import EXAMPLES
from groundplane.api.registry import KINDS, KindInfo
from groundplane.api.schema import apply_defaults, object_schema, prune, validator
from groundplane.kube.kubeconfig import Access, render_kubeconfig

pytestmark = pytest.mark.lab
DEFINITIONS = Path(__file__).parents[2] / "deploy/crds"
every_kind = pytest.mark.parametrize("info", KINDS, ids=lambda info: info.kind)


class Kubectl:
    """Real kubectl, logged in to the real API."""

    def __init__(self, kubeconfig: Path) -> None:
        self._kubeconfig = kubeconfig

    def run(self, *arguments: str, stdin: str = "", ok: bool = True) -> str:
        command = ["kubectl", "--kubeconfig", str(self._kubeconfig), *arguments]
        done = subprocess.run(command, input=stdin, capture_output=True, text=True, check=False)
        assert (done.returncode == 0) is ok, done.stdout + done.stderr
        return done.stdout if ok else done.stderr


@pytest.fixture(scope="module")
def kubectl(kube: Access, tmp_path_factory: pytest.TempPathFactory) -> Kubectl:
    path = tmp_path_factory.mktemp("kubectl") / "kubeconfig"
    text = render_kubeconfig(kube, name="real")
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    tool = Kubectl(path)
    tool.run("apply", "-f", str(DEFINITIONS))
    names = [f"crd/{info.plural}.{info.group}" for info in KINDS]
    tool.run("wait", "--for=condition=Established", "--timeout=60s", *names)
    return tool


def named(info: KindInfo, **spec: Any) -> dict[str, Any]:
    doc: dict[str, Any] = yaml.safe_load(EXAMPLES[info.kind])
    doc["metadata"]["name"] = f"t-{uuid.uuid4().hex[:10]}"
    doc["spec"] |= spec
    return doc


@every_kind
def test_a_real_api_finds_our_schemas_structural(kubectl: Kubectl, info: KindInfo) -> None:
    found = json.loads(kubectl.run("get", "crd", f"{info.plural}.{info.group}", "-o", "json"))
    conditions = {c["type"]: c["status"] for c in found["status"]["conditions"]}
    assert conditions["Established"] == conditions["NamesAccepted"] == "True"
    assert conditions.get("NonStructuralSchema", "False") == "False"


@every_kind
def test_a_real_api_fills_in_the_defaults_that_we_fill_in(kubectl: Kubectl, info: KindInfo) -> None:
    doc = named(info)
    made = json.loads(kubectl.run("create", "-f", "-", "-o", "json", stdin=json.dumps(doc)))
    assert made["spec"] == apply_defaults(doc, object_schema(info))["spec"]


def test_a_real_api_prunes_what_we_prune(kubectl: Kubectl) -> None:
    info = next(info for info in KINDS if info.kind == "Cluster")
    doc = named(info, nework={"podCIDR": "x"}, components={"kubelet": {"config": {"any": {"thing": 1}}, "arg": {}}})
    made = json.loads(kubectl.run("create", "--validate=false", "-f", "-", "-o", "json", stdin=json.dumps(doc)))
    assert made["spec"] == apply_defaults(prune(doc, object_schema(info)), object_schema(info))["spec"]


def test_a_real_api_refuses_the_fields_that_we_refuse(kubectl: Kubectl) -> None:
    info = next(info for info in KINDS if info.kind == "Cluster")
    doc = named(info, provider="Magic", change={"approval": 3}, foundationRef={})
    causes = validator(object_schema(info))(doc)
    answer = kubectl.run("create", "--validate=false", "-f", "-", stdin=json.dumps(doc), ok=False)
    assert {cause.field for cause in causes} == {"spec.change.approval", "spec.foundationRef.name", "spec.provider"}
    for cause in causes:
        assert str(cause) in answer


@every_kind
def test_real_kubectl_lists_a_kind_by_its_short_name_with_our_columns(kubectl: Kubectl, info: KindInfo) -> None:
    kubectl.run("create", "-f", "-", stdin=json.dumps(named(info)))
    head = kubectl.run("get", info.short_names[0], "-o", "wide").splitlines()[0]
    for column in info.columns:
        assert column.name.upper() in head
