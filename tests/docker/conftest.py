"""A real engine for the tests of this directory, which run by `make test-docker` only.

Where none answers, and root and Debian's packages are at hand, one is started for the tests, with
its own data and socket, and stopped at the end by its process. Where the base image cannot be
pulled it is made with debootstrap. Packages are fetched by this machine's own pip and handed to
the build over loopback, so that no image and no file knows where they came from. With
DOCKER_TESTS=built the images are taken as they are.
"""

from __future__ import annotations

import contextlib
import functools
import http.server
import itertools
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import NoReturn
from unittest import mock

import pytest

from secfpp.demo.scenario import Scenario, Training, scenario

ROOT = Path(__file__).parents[2]
BASE = "python:3.11-slim-bookworm"
OWN_BASE = "secfpp-base"
PACKAGES = ("docker.io", "docker-compose", "debootstrap")

collect_ignore_glob = [] if os.environ.get("DOCKER_TESTS") else ["test_*.py"]


class Engine:
    """A docker engine that answers, and how long its images took to build."""

    def __init__(self, environment: dict[str, str]) -> None:
        self.environment = {**os.environ, **environment, "DOCKER_BUILDKIT": "0"}

    def run(self, *command: object, check: bool = True, timeout: float = 900):
        """Run a command that speaks to this engine; its stdout and stderr as text."""
        done = subprocess.run(
            [str(word) for word in command],
            env=self.environment,
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=timeout,
        )
        if check and done.returncode:
            raise AssertionError(f"{command} exited {done.returncode}: {done.stderr[-4000:]}")
        return done

    def docker(self, *command: object) -> str:
        """The stdout of a docker command."""
        return self.run("docker", *command).stdout.strip()

    def answers(self) -> bool:
        """Whether there is a server to talk to."""
        with contextlib.suppress(OSError):
            asked = self.run("docker", "info", "-f", "{{.ServerVersion}}", check=False)
            return asked.stdout.strip() != ""  # Without a server it prints an empty line.
        return False

    def has(self, image: str) -> bool:
        """Whether the engine holds an image."""
        return self.run("docker", "image", "inspect", image, check=False).returncode == 0

    def build(self, target: str, base: str, address: str) -> None:
        """Build one target from packages served at `address`."""
        arguments = {"BASE": base, "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": address}
        words = [word for pair in arguments.items() for word in ("--build-arg", "=".join(pair))]
        place = ("--file", "docker/Dockerfile", "--target", target, "--tag", f"secfpp-{target}")
        began = time.monotonic()
        self.docker("build", "--network=host", *words, *place, ".")
        size = int(self.docker("image", "inspect", "-f", "{{.Size}}", f"secfpp-{target}"))
        print(f"{target}: {size / 1e6:.0f} MB, built in {time.monotonic() - began:.0f} s")


@pytest.fixture(scope="session")
def engine():
    """An engine with the image of the coordinator; skips only where none can be started."""
    found = Engine({})
    with contextlib.ExitStack() as stack:
        if not found.answers() or shutil.which("docker-compose") is None:
            found = stack.enter_context(own_engine())
        if os.environ["DOCKER_TESTS"] != "built":
            build(found, "coordinator", base_image(found))
        yield found


@contextlib.contextmanager
def own_engine():
    """Start an engine for these tests; it and all it holds are gone afterwards."""
    if os.geteuid() != 0:
        skip("no engine answers, and only root can start one")
    if not all(shutil.which(name) for name in ("dockerd", "docker-compose", "debootstrap")):
        if shutil.which("apt-get") is None:
            skip("no engine answers, and there is no apt-get to install one with")
        for words in (["update"], ["install", "-y", "--no-install-recommends", *PACKAGES]):
            done = subprocess.run(
                ["apt-get", "-q", *words],
                env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
                capture_output=True,
                text=True,
            )
            if done.returncode:
                skip(f"no engine answers, and none can be installed: {done.stderr[-500:]}")
    home = Path(tempfile.mkdtemp(prefix="secfpp-engine-"))
    socket = f"unix://{home}/socket"
    places = ("--data-root", home / "data", "--exec-root", home / "exec", "--pidfile", home / "pid")
    with open(home / "log", "wb") as log:
        daemon = subprocess.Popen(
            ["dockerd", "--iptables=false", "--ip-masq=false", *map(str, places), "-H", socket],
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        started = Engine({"DOCKER_HOST": socket})
        deadline = time.monotonic() + 60
        while not started.answers():
            if daemon.poll() is not None or time.monotonic() > deadline:
                skip(f"no engine can be started: {(home / 'log').read_text()[-500:]}")
            time.sleep(0.5)
        yield started
    finally:
        daemon.terminate()
        daemon.wait(60)
        shutil.rmtree(home, ignore_errors=True)


def skip(reason: str) -> NoReturn:
    """Skip all that needs an engine, and write down why: `make` says it in its last line."""
    line = " ".join(reason.split())
    Path(os.environ.get("DOCKER_SKIPPED", os.devnull)).write_text(line)
    pytest.skip(line)


def base_image(engine: Engine) -> str:
    """The base of the Dockerfile where it can be had, else Debian's own Python."""
    for name in (BASE, OWN_BASE):
        if engine.has(name):
            return name
    with contextlib.suppress(AssertionError, subprocess.TimeoutExpired):
        engine.run("docker", "pull", "-q", BASE, timeout=300)
        return BASE
    with tempfile.TemporaryDirectory(prefix="secfpp-base-") as root:
        include = "--include=python3,python3-venv,ca-certificates"
        engine.run("debootstrap", "--variant=minbase", include, "bookworm", root)
        for clutter in ("var/cache/apt", "var/lib/apt/lists", "usr/share/doc", "usr/share/locale"):
            shutil.rmtree(Path(root, clutter))
        packed = Path(shutil.make_archive(f"{root}/base", "tar", root))
        engine.docker("import", packed, OWN_BASE)
    return OWN_BASE


def build(engine: Engine, target: str, base: str) -> None:
    """Build one target from what this machine's pip can fetch."""
    with tempfile.TemporaryDirectory(prefix="secfpp-wheels-") as wheels:
        extras = ("train",) if target == "party" else ()
        wanted = [
            line
            for names in {(), extras}
            for line in engine.run(
                sys.executable, "docker/requirements.py", *names
            ).stdout.splitlines()
        ]
        engine.run(
            *(sys.executable, "-m", "pip", "download", "-q", "--python-version", "3.11"),
            *("--only-binary=:all:", "-c", "constraints.txt", "-d", wheels, "hatchling", *wanted),
        )
        with served(wheels) as address:
            engine.build(target, base, address)


@contextlib.contextmanager
def served(directory: str):
    """The files of a directory over HTTP on loopback."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            """Nobody reads it."""

    handler = functools.partial(Quiet, directory=directory)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


class Project:
    """The committed docker-compose.yml, whose parties deal given vectors: no torch."""

    def __init__(self, engine: Engine, home: Path, *, rounds: int, seed: int, dim: int) -> None:
        self.engine = engine
        self.home = home
        self.name = home.name.replace("_", "-").lower()
        self._dim = dim
        self._seeds = itertools.count(seed)
        self.cast = self.plant(rounds)
        self.parties = tuple(self.cast.sections)
        self._containers: dict[str, str] = {}
        self._override = home / "vectors.json"
        self._override.write_text(json.dumps({"services": self._services(rounds, seed)}))

    def _services(self, rounds: int, seed: int) -> dict[str, object]:
        time = {"SECFPP_TIME__IDLE_TIMEOUT": "10", "SECFPP_TIME__CONNECT_WAIT": "60"}
        job = self.cast.job
        words = {
            "SECFPP_ROUNDS": str(rounds),
            "SECFPP_SEED": str(seed),
            "SECFPP_TRAINING__KIND": job.training.kind,
            "SECFPP_TRAINING__DIM": str(job.training.dim),
        }
        parties = {
            name: {
                "image": "secfpp-coordinator",
                "environment": {**time, "SECFPP_VECTORS__PATH": "/vectors.npy"},
                "volumes": [f"{self.home}/vectors/{name}.npy:/vectors.npy:ro"],
            }
            for name in self.parties
        }
        return {
            "operator": {"environment": words},
            "coordinator": {"environment": time},
            **parties,
        }

    def plant(self, rounds: int) -> Scenario:
        """Other vectors than before in the same files: no party deals one among others again."""
        sizes = {"parties": 8, "rounds": rounds, "seed": next(self._seeds), "home": self.home}
        with mock.patch("secfpp.demo.scenario.VECTOR_DIM", self._dim):  # Many rounds need many.
            return scenario(Training.VECTORS, **sizes)

    def trains(self) -> None:
        """Leave the file as it is but for the number of rounds: the parties tune prompts."""
        rounds = {"SECFPP_ROUNDS": str(self.cast.job.rounds)}
        override = {"services": {"operator": {"environment": rounds}}}
        self._override.write_text(json.dumps(override))

    def compose(self, *words: object, check: bool = True):
        """docker-compose with the committed file and the vectors."""
        files = ("-f", ROOT / "docker-compose.yml", "-f", self._override)
        return self.engine.run("docker-compose", *files, "-p", self.name, *words, check=check)

    def container(self, service: str) -> str:
        """The id of a service's container, which stays the same."""
        if service not in self._containers:
            self._containers[service] = self.compose("ps", "-q", service).stdout.strip()
        return self._containers[service]

    def log(self, service: str) -> str:
        """All that a service has said."""
        said = self.engine.run("docker", "logs", self.container(service))
        return said.stdout + said.stderr

    def wait(self, service: str) -> int:
        """The exit code of a service, once it has ended."""
        return int(self.engine.docker("wait", self.container(service)))

    def collect(self, target: Path, run: str = "demo-*") -> dict[str, Path]:
        """Copy every daemon's state out of its volume; returns the directory of the run of each."""
        runs = {}
        for service in ("coordinator", *self.parties):
            (target / service).mkdir(parents=True)
            self.engine.docker(
                "cp", f"{self.container(service)}:/var/lib/secfpp/.", target / service
            )
            (runs[service],) = (target / service).glob(run)
        return runs

    def admit(self, name: str, keys: str) -> None:
        """Start a party as a project of its own, and the coordinator with the longer roster."""
        vectors = self.home / "vectors" / f"{self.parties[0]}.npy"
        service = {
            "image": "secfpp-coordinator",
            "command": ["party", "--config", "/etc/secfpp/party.toml"],
            "read_only": True,
            "cap_drop": ["ALL"],
            "security_opt": ["no-new-privileges:true"],
            "tmpfs": ["/tmp:mode=1777,size=256m"],  # noqa: S108 (in the container)
            "environment": {"SECFPP_VECTORS__PATH": "/vectors.npy"},
            "networks": {"theirs": {"aliases": [name]}},
            "volumes": ["keys:/pki:ro", "state:/var/lib/secfpp", f"{vectors}:/vectors.npy:ro"],
        }
        external = {"external": True, "name": f"{self.name}_federation"}
        file = {
            "services": {name: service},
            "networks": {"theirs": external},
            "volumes": {"keys": {"external": True, "name": keys}, "state": {}},
        }
        (self.home / f"{name}.json").write_text(json.dumps(file))
        self._alone(name, "up", "-d")
        roster = {one: f"{one}:7760" for one in (*self.parties, name)}
        services = json.loads(self._override.read_text())
        services["services"]["coordinator"]["environment"]["SECFPP_PARTIES"] = json.dumps(roster)
        self._override.write_text(json.dumps(services))
        self.compose("up", "-d", "coordinator")
        self._containers.pop("coordinator")

    def dismiss(self, name: str) -> None:
        """End that party's project."""
        if (self.home / f"{name}.json").exists():
            self._alone(name, "down", "--volumes", "--timeout", "5")

    def _alone(self, name: str, *words: str) -> None:
        place = ("-f", self.home / f"{name}.json", "-p", f"{self.name}-{name}")
        self.engine.run("docker-compose", *place, *words)

    def held(self) -> list[str]:
        """What the engine holds of this project: containers, volumes and networks."""
        label = f"label=com.docker.compose.project={self.name}"
        found = [
            self.engine.docker(*words, "-q", "--filter", label)
            for words in (("ps", "-a"), ("volume", "ls"), ("network", "ls"))
        ]
        return " ".join(found).split()


@pytest.fixture(scope="module")
def project(engine, tmp_path_factory, request):
    """A project with the module's ROUNDS, SEED and DIM; gone afterwards."""
    home = tmp_path_factory.mktemp("federation")
    wanted = request.module
    made = Project(engine, home, rounds=wanted.ROUNDS, seed=wanted.SEED, dim=wanted.DIM)
    yield made
    made.compose("down", "--volumes", "--timeout", "5")
