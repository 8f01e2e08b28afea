"""What a host needs: the workflow, the container for the notebooks, the list of changes."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
CONTAINER = ROOT / ".devcontainer" / "devcontainer.json"
SERVER = ROOT / ".devcontainer" / "jupyter" / "jupyter_server_config.json"
DEFAULT_BRANCH = "refs/heads/{0}', github.event.repository.default_branch"
OWN_ACTIONS = {"cache", "checkout", "configure-pages", "deploy-pages", "setup-python",
               "upload-pages-artifact"}  # fmt: skip


@pytest.fixture(scope="module")
def workflow() -> dict:
    (path,) = WORKFLOWS
    # YAML 1.1, which PyYAML reads, takes the key `on` for the truth.
    loaded = yaml.safe_load(path.read_text(encoding="utf-8"))
    return {"on" if key is True else key: value for key, value in loaded.items()}


def steps(workflow: dict) -> list[dict]:
    return [step for job in workflow["jobs"].values() for step in job["steps"]]


def commands(workflow: dict) -> list[str]:
    return [step["run"] for step in steps(workflow) if "run" in step]


def targets() -> set[str]:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    return set(re.findall(r"^([a-z]+):", makefile, re.M))


def test_workflow_runs_the_readme_and_nothing_else(workflow: dict) -> None:
    assert commands(workflow) == ["make book", "make test"]
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for command in commands(workflow):
        assert command.split()[1] in targets()
        assert f"| `{command}` |" in readme


def test_container_runs_what_there_is() -> None:
    container = json.loads(CONTAINER.read_text(encoding="utf-8"))
    for key in ("onCreateCommand", "postAttachCommand"):
        make, target = container[key].split()
        assert make == "make" and target in targets()
    folder = container["containerEnv"]["JUPYTER_CONFIG_PATH"]
    assert ROOT / folder.removeprefix("${containerWorkspaceFolder}/") == SERVER.parent
    assert container["forwardPorts"] == [json.loads(SERVER.read_text())["ServerApp"]["port"]]


def test_interpreters_are_supported(workflow: dict) -> None:
    """The workflow's and the container's, by what tools/install.sh takes."""
    (setup,) = (step for step in steps(workflow) if "setup-python" in step.get("uses", ""))
    image = json.loads(CONTAINER.read_text(encoding="utf-8"))["image"]
    install = (ROOT / "tools" / "install.sh").read_text(encoding="utf-8")
    supported = re.search(r"in (3\.\d+(?: \| 3\.\d+)*)\) true", install)[1].split(" | ")
    assert setup["with"]["python-version"] in supported
    assert image.partition(":")[2] in supported


@pytest.mark.parametrize(
    ("origin", "taken"),
    [
        ("https://any-name-x7q-8888.app.github.dev", True),
        ("https://any-name-x7q-8888.app.github.dev.example.org", False),
        ("https://any-name-x7q-9999.app.github.dev", False),
        ("http://any-name-x7q-8888.app.github.dev", False),
        ("https://example.org/-8888.app.github.dev", False),
    ],
)
def test_notebooks_listen_to_their_own_page_only(origin: str, taken: bool) -> None:
    pattern = json.loads(SERVER.read_text(encoding="utf-8"))["ServerApp"]["allow_origin_pat"]
    assert bool(re.match(pattern, origin)) == taken  # as Jupyter asks


def test_actions_are_pinned_by_major_version(workflow: dict) -> None:
    used = [step["uses"] for step in steps(workflow) if "uses" in step]
    found = [re.fullmatch(r"actions/([a-z-]+)@v\d+", action) for action in used]
    assert all(found), used
    assert {match[1] for match in found} == OWN_ACTIONS


def test_workflow_may_do_little(workflow: dict) -> None:
    assert workflow["permissions"] == {"contents": "read"}
    build, publish = workflow["jobs"]["build"], workflow["jobs"]["publish"]
    assert set(build["permissions"].values()) == {"read"}
    assert publish["permissions"] == {"pages": "write", "id-token": "write"}
    assert all(0 < job["timeout-minutes"] <= 90 for job in workflow["jobs"].values())
    assert "github.ref" in workflow["concurrency"]["group"]
    assert "pull_request_target" not in workflow["on"]


def test_pages_come_from_the_default_branch_alone(workflow: dict) -> None:
    build, publish = workflow["jobs"]["build"], workflow["jobs"]["publish"]
    (configure,) = (s for s in build["steps"] if "configure-pages" in s.get("uses", ""))
    assert DEFAULT_BRANCH in configure["if"]
    assert f"steps.{configure['id']}.outcome == 'success'" in build["outputs"]["publish"]
    assert publish["needs"] == "build"
    assert publish["if"] == "needs.build.outputs.publish == 'true'"
    order = [step.get("run") or step["uses"].split("@")[0] for step in build["steps"]]
    assert order.index("make test") < order.index("actions/upload-pages-artifact")
    # Built twice with the same address: the second build must leave the first as it was.
    assert len({json.dumps(step["env"]) for step in build["steps"] if "run" in step}) == 1


def test_cells_are_cached_by_all_that_they_depend_on(workflow: dict) -> None:
    (cache,) = (s["with"] for s in steps(workflow) if "actions/cache" in s.get("uses", ""))
    assert cache["path"] == "_build/.jupyter_cache"
    state = ("runner.os", "python-version", "lib/**", "requirements.txt", "constraints.txt")
    for part in state:
        assert part in cache["key"] and part in cache["restore-keys"]
    assert cache["key"].startswith(cache["restore-keys"].strip())
    assert "chapters/**" in cache["key"].removeprefix(cache["restore-keys"].strip())


@pytest.mark.parametrize("path", [*WORKFLOWS, CONTAINER, SERVER], ids=lambda path: path.name)
def test_nothing_belongs_to_one_owner(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert not re.search(r"secrets|(?<!id-)token", text)
    assert not re.search(r"github\.com/|github\.io|self-hosted|/home/|/Users/", text)
    hosts = set(re.findall(r"https://([\w.-]+)", text))
    assert not hosts


def test_readme_names_what_there_is() -> None:
    """Of the section for hosts: files exist, commands too, and the badge is the workflow's."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    section = readme.split("## Host it, change it")[1].split("\n## ")[0]
    named = re.findall(r"`([\w./-]+\.(?:yml|md|cff|toml|json|svg))`", section)
    assert len(named) > 4
    assert [name for name in named if not (ROOT / name).is_file()] == []
    assert set(re.findall(r"make ([a-z]+)", section)) <= targets()
    (workflow,) = WORKFLOWS
    assert section.count(f"../../actions/workflows/{workflow.name}") == 2


def test_changelog_has_the_version_of_the_package() -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    version = re.search(r'^version = "(.*)"', (ROOT / "pyproject.toml").read_text(), re.M)[1]
    headings = re.findall(r"^## \[(.+?)\] - (.+)$", changelog, re.M)
    assert headings[0][0] == version
    assert all(re.fullmatch(r"unreleased|\d{4}-\d\d-\d\d", when) for _, when in headings)
    known = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}
    assert set(re.findall(r"^### (.+)$", changelog, re.M)) <= known
