"""The Helm chart, rendered by Go's templates and held against the schemas of Kubernetes."""

from __future__ import annotations

import copy
import json
import os
import subprocess
from pathlib import Path

import kubernetes_validate
import pytest
import yaml

HERE = Path(__file__).parent
CHART = HERE.parents[1] / "deploy" / "helm" / "secfpp"
VERSIONS = ("1.25", "1.30")

COORDINATOR = {
    "role": "coordinator",
    "keys": {"secret": "coordinator-keys"},
    "parties": {"hospital-a": "hospital-a:7760", "hospital-b": "hospital-b.example:7760"},
    "metrics": {"enabled": True, "from": [{"namespaceSelector": {}}]},
    "network": {"operatorsFrom": [{"ipBlock": {"cidr": "10.0.0.0/8"}}]},
}
PARTY = {
    "keys": {"secret": "hospital-a-keys"},
    "settings": {"SECFPP_DATA__KIND": "imagefolder", "SECFPP_DATA__PATH": "/images"},
    "images": {"existingClaim": "scans"},
    "gpus": 1,
    "state": {"storageClass": "fast"},
    "tolerations": [{"key": "nvidia.com/gpu", "operator": "Exists"}],
}


def merged(base: dict, over: dict) -> dict:
    """As Helm merges values: sections by key, everything else replaced."""
    both = copy.deepcopy(base)
    for key, value in over.items():
        deep = isinstance(value, dict) and isinstance(both.get(key), dict)
        both[key] = merged(both[key], value) if deep else value
    return both


def rendered(name: str, values: dict) -> subprocess.CompletedProcess[str]:
    own = yaml.safe_load((CHART / "values.yaml").read_text())
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    data = {
        "Values": merged(own, values),
        "Release": {"Name": name, "Service": "Helm"},
        "Chart": {"AppVersion": chart["appVersion"]},
    }
    command = ["go", "run", str(HERE / "render.go"), str(CHART)]
    environment = {**os.environ, "GO111MODULE": "off"}
    return subprocess.run(
        command, input=json.dumps(data), capture_output=True, text=True, env=environment
    )


def documents(name: str, values: dict) -> dict[str, dict]:
    done = rendered(name, values)
    assert done.returncode == 0, done.stderr
    return {one["kind"]: one for one in yaml.safe_load_all(done.stdout) if one}


@pytest.fixture(scope="module")
def coordinator():
    return documents("coordinator", COORDINATOR)


@pytest.fixture(scope="module")
def party():
    return documents("hospital-a", PARTY)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("participant", ["coordinator", "party"])
def test_every_object_is_what_kubernetes_expects(participant, version, request):
    objects = request.getfixturevalue(participant)
    assert set(objects) == {"StatefulSet", "Service", "NetworkPolicy", "PodDisruptionBudget"}
    for one in objects.values():
        kubernetes_validate.validate(one, version, strict=True)


def containers(objects):
    pod = objects["StatefulSet"]["spec"]["template"]["spec"]
    return pod, [*pod["initContainers"], *pod["containers"]]


@pytest.mark.parametrize("participant", ["coordinator", "party"])
def test_no_container_has_more_rights_than_it_needs(participant, request):
    pod, every = containers(request.getfixturevalue(participant))
    assert pod["automountServiceAccountToken"] is False
    assert pod["securityContext"]["runAsNonRoot"] is True
    for one in every:
        context = one["securityContext"]
        assert context["readOnlyRootFilesystem"] is True
        assert context["allowPrivilegeEscalation"] is False
        assert context["capabilities"] == {"drop": ["ALL"]}


def test_a_party_gets_its_gpu_its_images_and_its_settings(party):
    pod, (_, daemon) = containers(party)
    assert daemon["resources"]["limits"]["nvidia.com/gpu"] == 1
    assert {"name": "SECFPP_DATA__PATH", "value": "/images"} in daemon["env"]
    assert {"images", "keys", "state"} <= {mount["name"] for mount in daemon["volumeMounts"]}
    assert daemon["image"] == "secfpp-party:0.1.0"
    (images,) = [volume for volume in pod["volumes"] if volume["name"] == "images"]
    assert images["persistentVolumeClaim"]["claimName"] == "scans"


def test_the_coordinator_gets_its_roster_and_a_port_for_operators(coordinator):
    _, (_, daemon) = containers(coordinator)
    (roster,) = [one["value"] for one in daemon["env"] if one["name"] == "SECFPP_PARTIES"]
    assert json.loads(roster) == COORDINATOR["parties"]
    assert {"mailbox", "operators", "metrics"} == {port["name"] for port in daemon["ports"]}
    rules = coordinator["NetworkPolicy"]["spec"]["ingress"]
    assert [rule["ports"][0]["port"] for rule in rules] == ["mailbox", "operators", "metrics"]


def test_nobody_reaches_operators_or_metrics_unless_it_is_said_from_where(party):
    rules = party["NetworkPolicy"]["spec"]["ingress"]
    assert [rule["ports"][0]["port"] for rule in rules] == ["mailbox"]


@pytest.mark.parametrize(
    ("values", "words"),
    [({}, "keys.secret must name the Secret"), ({"role": "broker"}, "role must be coordinator")],
)
def test_what_is_missing_or_wrong_is_said(values, words):
    done = rendered("ann", values)
    assert done.returncode == 1
    assert words in done.stderr
