"""docker-compose.yml: it fits the schema, and its profiles fit the server and what they mount."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from support.deploy import COMPOSE, document
from support.project import ROOT
from support.schemas import misfit_of_composition

COMMANDS = [command for command in (("docker", "compose"), ("docker-compose",)) if shutil.which(command[0])]
PROFILES = ("monitoring", "loadtest", "scale")


def services() -> dict[str, Any]:
    found: dict[str, Any] = document(COMPOSE)["services"]
    return found


def compose() -> tuple[str, ...] | None:
    """The first that is Compose 2 or later."""
    for command in COMMANDS:
        told = subprocess.run([*command, "version", "--short"], capture_output=True, text=True, check=False).stdout
        if told.strip().lstrip("v").split(".")[0].isdecimal() and int(told.strip().lstrip("v").split(".")[0]) >= 2:
            return command
    return None


def test_it_fits_the_schema() -> None:
    assert misfit_of_composition(document(COMPOSE)) == ""


def test_the_schema_refuses_what_it_does_not_know() -> None:
    told = document(COMPOSE)
    told["services"]["numbatch"]["stop_grace"] = "40s"
    assert "stop_grace" in misfit_of_composition(told)


@pytest.mark.parametrize("profiles", [(), PROFILES])
def test_compose_itself_accepts_it(profiles: tuple[str, ...]) -> None:
    command = compose()
    if command is None:
        pytest.skip("Docker Compose 2 is not installed")
    chosen = [f"--profile={profile}" for profile in profiles]
    told = [*command, "--file", str(COMPOSE), *chosen, "config", "--services"]
    ended = subprocess.run(told, capture_output=True, text=True, timeout=50, check=False)
    assert (ended.returncode, ended.stderr) == (0, "")
    wanted = {name for name, said in services().items() if set(said.get("profiles", ())) <= set(profiles)}
    assert set(ended.stdout.split()) == wanted


def test_without_a_profile_there_is_the_server_alone() -> None:
    assert [name for name, said in services().items() if "profiles" not in said] == ["numbatch"]
    assert {profile for said in services().values() for profile in said.get("profiles", ())} == set(PROFILES)


@pytest.mark.parametrize("name", services())
def test_every_service_is_confined(name: str) -> None:
    said = services()[name]
    assert said["read_only"] is True
    assert said["cap_drop"] == ["ALL"]
    assert said["security_opt"] == ["no-new-privileges:true"]


@pytest.mark.parametrize("name", services())
def test_ports_are_open_to_this_machine_alone(name: str) -> None:
    assert all(port.startswith("127.0.0.1:") for port in services()[name].get("ports", ()))


def test_ports_and_volumes_are_given_once() -> None:
    ports = [
        re.sub(r"[^:]*:(?:\$\{\w+:-(\d+)\}|(\d+)):.*", r"\1\2", port)
        for said in services().values()
        for port in said.get("ports", ())
    ]
    assert len(ports) == len(set(ports))
    mounts = [volume.split(":")[0] for said in services().values() for volume in said.get("volumes", ())]
    named = {mount for mount in mounts if not mount.startswith(".")}
    assert named == set(document(COMPOSE)["volumes"])
    assert all((ROOT / mount).is_dir() for mount in mounts if mount.startswith("."))


def test_replicas_are_what_the_server_is_but_for_its_ports() -> None:
    server, replica = services()["numbatch"], services()["replica"]
    own = {"build", "ports", "profiles", "depends_on", "deploy"}
    assert {key: said for key, said in replica.items() if key not in own} == {
        key: said for key, said in server.items() if key not in own
    }
    assert replica["deploy"]["resources"] == server["deploy"]["resources"]


def test_the_report_of_the_load_test_lands_in_its_volume() -> None:
    said = services()["loadtest"]
    (volume,) = said["volumes"]
    assert volume == f"reports:{Path(said['working_dir'])}"
    assert "--html loadtest.html" in said["command"]
