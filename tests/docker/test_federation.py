"""`docker-compose up` on a real engine: its result, what each container may do, what is left."""

from __future__ import annotations

import json
import re
import time

import pytest
from safetensors.numpy import load_file

from secfpp.demo.run import run_demo
from secfpp.demo.verify import verify

pytestmark = [pytest.mark.timeout(1500), pytest.mark.xdist_group("docker")]

ROUNDS, SEED, DIM = 3, 1, 1024

LOOK = """
import json, os, pathlib
found = []
for top, _, names in os.walk("/", onerror=None):
    if not top.startswith(("/proc", "/sys")):
        found += [os.path.join(top, name) for name in names if name.endswith((".key", ".npy"))]
def tried(act):
    try:
        act()
        return True
    except OSError:
        return False
readable = [p for p in found if "site-packages" not in p and tried(lambda: open(p).close())]
print(json.dumps({
    "uid": os.getuid(),
    "readable": sorted(readable),
    "writes_root": tried(lambda: pathlib.Path("/opt/secfpp/new").touch()),
    "writes_keys": tried(lambda: pathlib.Path("/pki/new").touch()),
    "writes_state": tried(lambda: pathlib.Path("/var/lib/secfpp/new").touch()),
    "capabilities": [line.split()[1] for line in open("/proc/self/status") if "CapEff" in line],
    "may_gain": [line.split()[1] for line in open("/proc/self/status") if "NoNewPrivs" in line],
}))
"""


@pytest.fixture(scope="module")
def finished(project):
    """A run to its end by one command; its exit code, and the files out of the volumes."""
    began = time.monotonic()
    done = project.compose("up", "--exit-code-from", "operator", check=False)
    print(f"up to the end: {time.monotonic() - began:.0f} s")
    return done, project.collect(project.home / "out")


def test_one_command_runs_to_the_end_and_its_exit_code_is_the_outcome(project, finished):
    done, _ = finished
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    assert re.search(r"demo-\w+ is done", project.log("operator"))


def test_the_result_equals_that_of_processes_under_the_same_seed(project, finished, tmp_path):
    _, runs = finished
    coordinator, parties = runs["coordinator"], {p: runs[p] for p in project.parties}
    assert verify(coordinator, parties).passed
    data = run_demo(project.cast, tmp_path, lambda event: None)
    of_processes = tmp_path / "coordinator" / data["run"]
    ours, theirs = (
        json.loads((home / "ledger.json").read_text())["rounds"]
        for home in (coordinator, of_processes)
    )
    for key in ("opened_to_everyone", "opened_to_coordinator", "dealers"):
        assert [entry[key] for entry in ours] == [entry[key] for entry in theirs]
    for name, home in parties.items():
        for number in range(1, ROUNDS + 1):
            place = f"round-{number}/cluster_prompt.safetensors"
            here = load_file(home / place)["context"]
            there = load_file(tmp_path / name / data["run"] / place)["context"]
            assert here.tobytes() == there.tobytes(), (name, number)


def test_every_container_is_confined(project, finished):
    for service in ("pki", "coordinator", "operator", *project.parties):
        (facts,) = json.loads(project.engine.docker("inspect", project.container(service)))
        host = facts["HostConfig"]
        assert facts["Config"]["User"] == "10001:10001", service
        assert host["ReadonlyRootfs"], service
        assert host["CapDrop"] == ["ALL"], service
        assert not host["CapAdd"], service
        assert "no-new-privileges:true" in host["SecurityOpt"], service
        assert not host["Privileged"], service


@pytest.mark.parametrize(
    "service", [*(f"party-{number}" for number in range(1, 9)), "coordinator", "operator"]
)
def test_a_container_reads_no_key_but_its_own_and_writes_nothing_but_its_state(
    project, finished, service
):
    said = project.compose(
        *("run", "--rm", "-T", "--no-deps", "--entrypoint", "python3", service, "-c", LOOK)
    )
    seen = json.loads(said.stdout)
    assert seen["uid"] == 10001
    own = {f"/pki/{service}.key"}
    if service.startswith("party"):
        own |= {"/vectors.npy"}
    if service != "operator":
        own |= {"/var/lib/secfpp/store.key"}
    assert set(seen["readable"]) == own
    assert not seen["writes_root"]
    assert not seen["writes_keys"]
    assert seen["capabilities"] == ["0000000000000000"]
    assert seen["may_gain"] == ["1"]


def test_the_key_of_the_authority_is_in_a_volume_that_only_its_own_service_mounts(
    project, finished
):
    def volumes(service):
        (facts,) = json.loads(project.engine.docker("inspect", project.container(service)))
        return {mount.get("Name") for mount in facts["Mounts"] if mount["Type"] == "volume"}

    authority = f"{project.name}_authority"
    assert authority in volumes("pki")
    seen = [volumes(service) for service in ("coordinator", "operator", *project.parties)]
    assert not any(authority in mounted for mounted in seen)
    assert sum(map(len, seen)) == len(set().union(*seen)), "two services share a volume"


def test_no_log_holds_a_key_or_a_value_of_a_vector(project, finished):
    _, runs = finished
    said = "".join(
        project.log(service) for service in ("pki", "coordinator", "operator", *project.parties)
    )
    assert "party-1" in said
    assert "PRIVATE KEY" not in said
    words = set(re.findall(r"(?<![\d.])\d{6,}(?![\d.])", said))
    for name in project.parties:
        levels = load_file(runs[name] / "round-1" / "levels.safetensors")["levels"]
        large = {str(abs(int(level))) for level in levels if abs(int(level)) > 10**5}
        assert len(large) > 10
        assert not words & large, name


def test_down_leaves_nothing(project, finished):
    before = project.engine.docker("volume", "ls", "-q").split()
    assert len(project.held()) > 20
    project.compose("down", "--volumes", "--timeout", "5")
    assert project.held() == []
    left = set(project.engine.docker("volume", "ls", "-q").split())
    mine = {name for name in before if name.startswith(project.name)}
    assert len(mine) == 4 + 2 + 2 * len(project.parties)
    assert not left & mine
