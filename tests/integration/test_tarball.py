"""The built collection: holds what a user needs and nothing else, installs offline, and works from there."""

from __future__ import annotations

import json
import shutil
import tarfile
from pathlib import Path

import pytest
import yaml
from helpers.collection import CHECKOUT, build_tarball
from helpers.commands import Completed, run

# Everything the tarball may hold at its top. What is not named here is a mistake of build_ignore.
TOP = {
    "CHANGELOG.rst",
    "FILES.json",
    "LICENSE",
    "MANIFEST.json",
    "README.md",
    "bindep.txt",
    "changelogs",
    "docs",
    "examples",
    "meta",
    "playbooks",
    "plugins",
    "requirements.txt",
    "roles",
}
MODULES = sorted(path.stem for path in (CHECKOUT / "plugins" / "modules").glob("*.py"))
PLAYBOOKS = sorted(path.stem for path in (CHECKOUT / "playbooks").glob("*.yml"))


@pytest.fixture(scope="module")
def tarball(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the tarball built from the checkout."""
    return build_tarball(tmp_path_factory.mktemp("tarball"))


@pytest.fixture(scope="module")
def installed(tarball: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Install the tarball into a folder of its own; return the setting by which Ansible finds it, and only it."""
    target = str(tmp_path_factory.mktemp("installed"))
    env = {"ANSIBLE_COLLECTIONS_PATH": target}
    install = ("ansible-galaxy", "collection", "install", "--offline", "--collections-path", target, tarball)
    succeeded(run(*install, env=env))
    return env


def succeeded(done: Completed) -> Completed:
    """Return what the command did, after making sure that it ended with 0."""
    assert done.rc == 0, done.output
    return done


def test_holds_only_what_a_user_needs(tarball: Path) -> None:
    with tarfile.open(tarball) as archive:
        names = archive.getnames()
    assert {Path(name).parts[0] for name in names} <= TOP
    caches = [name for name in names if "__pycache__" in name or name.endswith(".pyc") or "/tests/" in name]
    assert caches == []


def test_carries_the_version_of_galaxy_yml(tarball: Path) -> None:
    with tarfile.open(tarball) as archive:
        manifest = archive.extractfile("MANIFEST.json")
        assert manifest is not None
        version = json.load(manifest)["collection_info"]["version"]
    assert version == yaml.safe_load((CHECKOUT / "galaxy.yml").read_text())["version"]


def test_documents_every_module(installed: dict[str, str]) -> None:
    names = [f"kubestress.core.{module}" for module in MODULES]
    documented = json.loads(succeeded(run("ansible-doc", "--json", *names, env=installed)).stdout)
    assert sorted(documented) == names
    assert all(
        entry["doc"]["filename"].startswith(installed["ANSIBLE_COLLECTIONS_PATH"]) for entry in documented.values()
    )


@pytest.mark.parametrize("playbook", PLAYBOOKS)
def test_playbook_is_found_by_its_name_and_parses(playbook: str, installed: dict[str, str], tmp_path: Path) -> None:
    succeeded(run("ansible-playbook", "--syntax-check", f"kubestress.core.{playbook}", env=installed, cwd=tmp_path))


def test_execution_environment_gets_the_python_requirements(installed: dict[str, str]) -> None:
    """ansible-builder, asked what the installed collections need, names our requirements and no system package."""
    command = ("ansible-builder", "introspect", installed["ANSIBLE_COLLECTIONS_PATH"])
    needs = yaml.safe_load(succeeded(run(*command, env=installed)).stdout)
    required = (CHECKOUT / "requirements.txt").read_text().splitlines()
    wanted = [line for line in required if line and not line.startswith("#")]
    assert [line.split("  # ")[0] for line in needs["python"]] == wanted
    assert all("[bench" in line for line in needs["system"])


def test_execution_environment_example_builds_up_to_the_container(tarball: Path, tmp_path: Path) -> None:
    """Everything but the engine's part: the definition is accepted, and its collection installs as written there."""
    shutil.copy(tarball, tmp_path / "kubestress-core.tar.gz")
    shutil.copy(CHECKOUT / "examples" / "awx" / "execution-environment.yml", tmp_path)
    succeeded(run("ansible-builder", "create", cwd=tmp_path))
    install = ("ansible-galaxy", "collection", "install", "--offline", "-r", "requirements.yml", "-p", tmp_path / "c")
    env = {"ANSIBLE_COLLECTIONS_PATH": str(tmp_path / "c")}
    succeeded(run(*install, cwd=tmp_path / "context" / "_build", env=env))
    assert (tmp_path / "c" / "ansible_collections" / "kubestress" / "core" / "requirements.txt").is_file()
