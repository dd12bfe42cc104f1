"""What runs the project elsewhere, checked as far as it can be without those places."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

ROOT = Path(__file__).parents[2]
DOCKER = ROOT / "docker"
DOCKERFILES = sorted(DOCKER.glob("Dockerfile.*"))
TEXTS = sorted(path for path in DOCKER.iterdir() if path.is_file())


def load(name: str) -> list[Any]:
    return list(YAML(typ="safe").load_all(DOCKER / name))


def instructions(path: Path) -> list[tuple[str, str]]:
    """(instruction, arguments) of a Dockerfile, continued lines joined."""
    text = re.sub(r"\\\n", " ", path.read_text())
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return [(line.split(maxsplit=1)[0], line.split(maxsplit=1)[1]) for line in lines]


@pytest.mark.parametrize("path", DOCKERFILES, ids=lambda path: path.name)
def test_rules_of_a_good_image(path: Path) -> None:
    found = instructions(path)
    names = [name for name, _ in found]
    (base,) = [arguments for name, arguments in found if name == "FROM"]
    assert re.fullmatch(r"[\w/.-]+:\d[\w.-]+", base), "the base image is pinned"
    users = [arguments for name, arguments in found if name == "USER"]
    assert users and users[-1] not in ("root", "0")
    assert max(i for i, n in enumerate(names) if n in ("RUN", "COPY")) < names.index("USER") + 1
    assert names.count("HEALTHCHECK") == 1
    assert "ADD" not in names
    for name, arguments in found:
        assert not re.search(r"(curl|wget)[^|]*\|\s*(ba)?sh|sudo ", arguments)
        if name == "ENV":
            assert not re.search(r"TOKEN=|PASSWORD|SECRET|_KEY=", arguments)
        if name == "RUN" and "pip install" in arguments:
            assert "--no-cache-dir" in arguments
        if name in ("CMD", "ENTRYPOINT"):
            assert isinstance(json.loads(arguments), list), "signals reach the process"


@pytest.mark.parametrize("path", DOCKERFILES, ids=lambda path: path.name)
def test_what_is_copied_is_there_and_not_ignored(path: Path) -> None:
    allowed = {
        line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line[:1] == "!"
    }
    for name, arguments in instructions(path):
        if name == "COPY":
            for source in arguments.split()[:-1]:
                assert (ROOT / source).exists()
                assert source in allowed


def launch_commands() -> list[tuple[str, list[str]]]:
    """(file, words after `launch`) of every launch command in docker/."""
    found = []
    for path in TEXTS:
        text = path.read_text().replace("\\\n", " ")
        shell = re.findall(r"orchestrator launch ([^\n`'\"]+)", text)
        listed = re.findall(r'"orchestrator", "launch", ([^\]]+)\]', text)
        found += [(path.name, words.split()) for words in shell]
        found += [(path.name, re.findall(r'[^", ]+', words)) for words in listed]
    return found


def test_launch_commands_use_options_and_studies_that_exist() -> None:
    import typer

    from orchestrator.cli import app

    group: Any = typer.main.get_command(app)
    options = {flag for p in group.commands["launch"].params for flag in p.opts}
    commands = launch_commands()
    assert {name for name, _ in commands} >= {"rayjob.yaml", "cluster.yaml", "compose.yaml"}
    for name, words in commands:
        for word in words:
            if word.startswith("--"):
                assert word in options, (name, word)
            if word.startswith("studies/"):
                assert (ROOT / word).exists(), (name, word)


def test_environment_variables_are_known() -> None:
    """A misspelt variable would be ignored in silence."""
    import ray

    folder = Path(ray.__file__).parent
    known = "".join(
        path.read_text(errors="ignore")
        for pattern in ("_private/*.py", "_private/authentication/*.py", "scripts/*.py", "*.py")
        for path in folder.glob(pattern)
    )
    binaries = b"".join(path.read_bytes() for path in folder.glob("_raylet*.so"))
    ours = "".join(path.read_text() for path in (ROOT / "orchestrator").rglob("*.py"))
    ours += (ROOT / "trainables/datasets/__init__.py").read_text()
    for path in TEXTS:
        for name in set(re.findall(r"\b(?:RAY|ORCHESTRATOR)_[A-Z_]+\b", path.read_text())):
            if name == "RAY_HEAD_IP":  # set by `ray up` itself
                continue
            is_known = name in known or name.encode() in binaries or name in ours
            assert is_known, (path.name, name)


def test_compose_keeps_to_its_promises() -> None:
    (compose,) = load("compose.yaml")
    services = compose["services"]
    assert set(services) == {"head", "worker", "launch"}
    for name, service in services.items():
        assert service["secrets"] == ["ray_token"], name
        assert service["environment"]["RAY_AUTH_MODE"] == "token"
        assert service["environment"]["RAY_AUTH_TOKEN_PATH"] == "/run/secrets/ray_token"
        assert "ports" not in service, "nothing is published"
        assert service["shm_size"].endswith("gb")
        assert any(volume.endswith(":/results") for volume in service["volumes"])
    assert "container_name" not in services["worker"], "it can be scaled"
    assert compose["secrets"]["ray_token"] == {"file": "./token"}
    assert "healthcheck" in services["head"]


def compose_client() -> list[str]:
    """The plugin of Docker, else the program of its own; empty if neither is here."""
    for client in (["docker", "compose"], ["docker-compose"]):
        if shutil.which(client[0]) is not None:
            asked = subprocess.run(
                [*client, "version"], capture_output=True, timeout=60, check=False
            )
            if asked.returncode == 0:
                return client
    return []


@pytest.mark.skipif(not compose_client(), reason="no Docker Compose here")
def test_compose_is_accepted_by_its_client() -> None:
    command = [*compose_client(), "-f", str(DOCKER / "compose.yaml"), "config", "--quiet"]
    subprocess.run(command, check=True, timeout=60)


@pytest.mark.skipif(shutil.which("shellcheck") is None, reason="no shellcheck here")
def test_the_slurm_script_is_sound_shell() -> None:
    subprocess.run(["shellcheck", str(DOCKER / "slurm.sh")], check=True, timeout=60)


def test_ray_job_keeps_to_its_promises() -> None:
    *claims, job = load("rayjob.yaml")
    assert (job["apiVersion"], job["kind"]) == ("ray.io/v1", "RayJob")
    cluster = job["spec"]["rayClusterSpec"]
    assert cluster["authOptions"] == {"mode": "token"}
    groups = [cluster["headGroupSpec"], *cluster["workerGroupSpecs"]]
    names = {claim["metadata"]["name"] for claim in claims}
    assert all(claim["spec"]["accessModes"] == ["ReadWriteMany"] for claim in claims)
    for group in groups:
        pod = group["template"]["spec"]
        assert pod["securityContext"]["runAsNonRoot"] is True
        claimed = {
            v["persistentVolumeClaim"]["claimName"]
            for v in pod["volumes"]
            if "persistentVolumeClaim" in v
        }
        assert claimed == names
        for container in pod["containers"]:
            assert "limits" in container["resources"]
            mounted = {mount["name"] for mount in container["volumeMounts"]}
            assert mounted == {volume["name"] for volume in pod["volumes"]}
    assert all(group["minReplicas"] <= group["replicas"] for group in cluster["workerGroupSpecs"])


def test_cluster_file_fits_rays_schema() -> None:
    import jsonschema
    import ray

    schema = json.loads((Path(ray.__file__).parent / "autoscaler/ray-schema.json").read_text())
    (cluster,) = load("cluster.yaml")
    jsonschema.validate(cluster, schema)
    assert cluster["head_node_type"] in cluster["available_node_types"]
    assert "--env RAY_AUTH_MODE=token" in cluster["docker"]["run_options"]


STAND_INS = {
    "scontrol": 'echo "scontrol $*" >> "$LOG"; [ "$1" = show ] && printf "one\\ntwo\\n" || true',
    "srun": ('echo "srun $*" >> "$LOG"; case "$*" in *"--block"*) exec sleep 60;; esac'),
    "ray": 'echo "ray $*" >> "$LOG"',
    "python": (
        'echo "python $*" >> "$LOG"\n'
        '[ "${DRIVER_EXIT:-}" ] && exit "$DRIVER_EXIT"\n'
        "trap 'echo drained >> \"$LOG\"; exit 143' TERM\n"
        'touch "$LOG.running"; while true; do sleep 0.1; done'
    ),
}


class Slurm:
    """The script with stand-ins for what a cluster has."""

    def __init__(self, folder: Path) -> None:
        self.log = folder / "log"
        self.log.touch()
        tools = folder / "bin"
        tools.mkdir()
        for name, body in STAND_INS.items():
            (tools / name).write_text(f"#!/usr/bin/env bash\n{body}\n")
            (tools / name).chmod(0o755)
        self.environment = {
            **os.environ,
            "PATH": f"{tools}:{os.environ['PATH']}",
            "LOG": str(self.log),
            "SLURM_JOB_ID": "77",
            "SLURM_JOB_NODELIST": "one,two",
            "SLURM_SUBMIT_DIR": str(folder),
            "SLURM_CPUS_PER_TASK": "8",
        }

    def start(self, *arguments: str, **environment: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [str(DOCKER / "slurm.sh"), *arguments],
            env={**self.environment, **environment},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )


@pytest.fixture
def slurm(tmp_path: Path) -> Slurm:
    return Slurm(tmp_path)


@pytest.mark.parametrize("number", [signal.SIGUSR1, signal.SIGTERM])
def test_slurm_drains_and_requeues_once(slurm: Slurm, number: signal.Signals) -> None:
    job = slurm.start("studies/table2.yaml", "seeds=3")
    running = slurm.log.with_name("log.running")
    end = time.monotonic() + 30
    while not running.exists():
        assert time.monotonic() < end
        time.sleep(0.05)
    job.send_signal(number)
    assert job.wait(timeout=30) == 0
    log = slurm.log.read_text()
    assert "python -m orchestrator launch studies/table2.yaml seeds=3 --address one:20077" in log
    assert log.count("drained") == 1
    assert log.count("scontrol requeue 77") == 1
    assert log.count("srun") == 2
    assert not (slurm.log.parent / ".slurm-77").exists(), "the token is gone"


@pytest.mark.parametrize("status", [0, 2, 3])
def test_slurm_passes_the_end_of_a_launch_on(slurm: Slurm, status: int) -> None:
    job = slurm.start("studies/table2.yaml", DRIVER_EXIT=str(status))
    assert job.wait(timeout=30) == status
    assert "requeue" not in slurm.log.read_text()


def test_slurm_needs_a_study(slurm: Slurm) -> None:
    assert slurm.start().wait(timeout=10) == 2
