"""The house's own rules, where no linter has them: everything is tested, documented, listed and of a readable size."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import jinja2
import pytest
import yaml

CHECKOUT = Path(__file__).resolve().parents[2]
PLUGINS = CHECKOUT / "plugins"
# The variables of the scripts that this collection replaces, and what each of them sets here.
ENVIRONMENT = {
    "BUILDS_PER_NS": "build_jobs_completions",
    "BUILD_JOB_ENABLED": "build_jobs_enabled",
    "BUILD_PARALLELISM": "build_jobs_parallelism",
    "BUILD_TIMEOUT": "build_jobs_timeout",
    "CLEANUP_ON_COMPLETION": "cleanup_on_completion",
    "CURL_TEST_COUNT": "connectivity_count",
    "CURL_TEST_ENABLED": "connectivity_enabled",
    "CURL_TEST_INTERVAL": "connectivity_interval",
    "DEPLOYMENTS_PER_NS": "deployments_per_namespace",
    "DEPLOYMENT_READY_TIMEOUT": "deployments_ready_timeout",
    "LOG_FILE": "run_log_file",
    "LOG_LEVEL": "run_log_level",
    "MAX_CONCURRENT_OPERATIONS": "run_max_concurrent",
    "NAMESPACE_PARALLEL": "namespaces_parallel",
    "NAMESPACE_PREFIX": "namespaces_prefix",
    "NAMESPACE_READY_TIMEOUT": "namespaces_ready_timeout",
    "SERVICE_ENABLED": "deployments_service_enabled",
    "STATEFULSETS_PER_NS": "statefulsets_per_namespace",
    "STATEFULSET_ENABLED": "statefulsets_enabled",
    "STATEFULSET_REPLICAS": "statefulsets_replicas",
    "TOTAL_NAMESPACES": "namespaces_total",
}
# A file holds an idea; one that is longer than this holds two.
MAX_CODE_LINES = 400
MAX_FUNCTION_LINES = 60
HEADER = (
    "# Copyright: (c) 2026, kubestress contributors\n"
    "# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)\n"
    "# SPDX-License-Identifier: GPL-3.0-or-later\n"
)


def found(pattern: str) -> list:
    """Return the checkout's files that match, as parameters with their path as the id."""
    paths = sorted(path for path in CHECKOUT.glob(pattern) if path.stat().st_size)
    return [pytest.param(path, id=str(path.relative_to(CHECKOUT))) for path in paths]


def texts(*patterns: str) -> str:
    """Return the text of all files that match any of the patterns, one after the other."""
    files = sorted({path for pattern in patterns for path in CHECKOUT.glob(pattern) if path.is_file()})
    return "\n".join(path.read_text() for path in files)


def load(path: Path):
    """Return the YAML file's content."""
    return yaml.safe_load(path.read_text())


# --- every module, plugin, role and playbook is tested ---------------------------------------------------------------


@pytest.fixture(scope="module")
def live_tests() -> str:
    """Return the text of all tests that run against a control plane."""
    return texts("tests/integration/**/*.py", "tests/integration/**/*.yml", "extensions/molecule/**/*.yml")


@pytest.mark.parametrize("module", found("plugins/modules/*.py"))
def test_module_is_tested_live(module: Path, live_tests: str) -> None:
    assert f"kubestress.core.{module.stem}" in live_tests, f"no integration test or scenario uses {module.stem}"


@pytest.mark.parametrize("plugin", found("plugins/action/*.py") + found("plugins/lookup/*.py"))
def test_plugin_has_a_unit_test(plugin: Path) -> None:
    relative = plugin.relative_to(CHECKOUT)
    assert (CHECKOUT / "tests" / "unit" / relative.parent / f"test_{plugin.stem}.py").exists()


@pytest.mark.parametrize("room", sorted({path.parent.name for path in PLUGINS.glob("module_utils/*/[a-z]*.py")}))
def test_room_has_unit_tests(room: str) -> None:
    assert list((CHECKOUT / "tests" / "unit" / "plugins" / "module_utils" / room).glob("test_*.py"))


@pytest.mark.parametrize("role", found("roles/*/meta/argument_specs.yml"))
def test_role_is_tested_live(role: Path, live_tests: str) -> None:
    name = role.parts[-3]
    scenario = CHECKOUT / "extensions" / "molecule" / name / "molecule.yml"
    assert scenario.exists() or f"kubestress.core.{name}" in live_tests, (
        f"no scenario and no integration test of {name}"
    )


@pytest.mark.parametrize("playbook", found("playbooks/*.yml"))
def test_playbook_is_tested_live(playbook: Path) -> None:
    """By its full name, or as a parameter: a quoted name."""
    named = rf"kubestress\.core\.{playbook.stem}\b|[\"']{playbook.stem}[\"']"
    assert re.search(named, texts("tests/integration/**/*.py")), f"no integration test names {playbook.stem}"


# --- documentation and lists agree with the code ---------------------------------------------------------------------


def documentation(module: Path) -> dict[str, str]:
    """Return a plugin's DOCUMENTATION, EXAMPLES and RETURN, as text."""
    assigned = [node for node in ast.parse(module.read_text()).body if isinstance(node, ast.Assign)]
    wanted = ("DOCUMENTATION", "EXAMPLES", "RETURN")
    return {
        target.id: str(node.value.value)
        for node in assigned
        for target in node.targets
        if isinstance(target, ast.Name) and target.id in wanted and isinstance(node.value, ast.Constant)
    }


@pytest.mark.parametrize("module", found("plugins/modules/*.py"))
def test_module_is_documented(module: Path) -> None:
    # !unsafe is Ansible's own tag, which YAML's plain loader does not know.
    parts = {name: yaml.safe_load(text.replace("!unsafe ", "")) for name, text in documentation(module).items()}
    assert all(parts.get(name) for name in ("DOCUMENTATION", "EXAMPLES", "RETURN")), f"{module.name} lacks a part"
    assert f"kubestress.core.{module.stem}" in documentation(module)["EXAMPLES"], "an example uses another name"


def test_action_group_lists_the_modules_with_connection_options() -> None:
    listed = load(CHECKOUT / "meta" / "runtime.yml")["action_groups"]["kubestress"]
    with_auth = [
        module.stem
        for module in sorted((PLUGINS / "modules").glob("*.py"))
        if "kubestress.core.auth"
        in yaml.safe_load(documentation(module)["DOCUMENTATION"]).get("extends_documentation_fragment", [])
    ]
    assert listed == with_auth


@pytest.mark.parametrize("plugin", found("plugins/**/*.py"))
def test_licence_header(plugin: Path) -> None:
    assert HEADER in plugin.read_text()[: len(HEADER) + 40]


def test_changes_are_told() -> None:
    """A fragment waits, or a release has taken the fragments into the changelog."""
    fragments = list((CHECKOUT / "changelogs" / "fragments").glob("*.yml"))
    assert fragments or (CHECKOUT / "changelogs" / "changelog.yaml").exists()


def test_nothing_is_exempt_from_sanity() -> None:
    ignored = [path.name for path in (CHECKOUT / "tests" / "sanity").glob("ignore-*.txt") if path.read_text().strip()]
    assert ignored == []


def test_help_lists_every_target() -> None:
    makefile = (CHECKOUT / "Makefile").read_text()
    targets = set(re.findall(r"^\.PHONY: (.+)$", makefile, re.MULTILINE)[0].split())
    assert targets == set(re.findall(r"^([a-z-]+):.*## ", makefile, re.MULTILINE))


def markdown_links() -> Iterator:
    """Yield every relative link of every page, as a parameter: the page and where the link goes."""
    for page in sorted([*CHECKOUT.glob("*.md"), *CHECKOUT.glob("docs/**/*.md"), *CHECKOUT.glob("roles/*/README.md")]):
        for link in re.findall(r"\]\(([^)#\s]+)", page.read_text()):
            if "://" not in link and not link.startswith("mailto:"):
                yield pytest.param(page, link, id=f"{page.relative_to(CHECKOUT)}->{link}")


@pytest.mark.parametrize(("page", "link"), list(markdown_links()))
def test_link_leads_somewhere(page: Path, link: str) -> None:
    assert (page.parent / link).exists()


# --- roles: what is said of a variable is said once ------------------------------------------------------------------


ROLES = found("roles/*/meta/argument_specs.yml")


def role_of(spec: Path) -> Path:
    """Return the folder of the role that the argument_specs.yml belongs to."""
    return spec.parent.parent


def entry_points(spec: Path) -> dict:
    """Return the role's entry points by name."""
    return load(spec)["argument_specs"]


def options(spec: Path) -> dict:
    """Return the options of all entry points together."""
    return {name: option for entry in entry_points(spec).values() for name, option in entry.get("options", {}).items()}


def defaults(spec: Path) -> dict:
    """Return the role's defaults, which a role without variables has none of."""
    path = role_of(spec) / "defaults" / "main.yml"
    return (load(path) or {}) if path.exists() else {}


@pytest.mark.parametrize("spec", found("roles/*/tasks/main.yml"))
def test_role_has_argument_specs(spec: Path) -> None:
    assert (role_of(spec) / "meta" / "argument_specs.yml").exists()


@pytest.mark.parametrize("spec", ROLES)
def test_variables_start_with_the_roles_name(spec: Path) -> None:
    strangers = [name for name in {*options(spec), *defaults(spec)} if not name.startswith(f"{role_of(spec).name}_")]
    assert strangers == []


@pytest.mark.parametrize("spec", ROLES)
def test_every_default_is_specified_and_the_other_way_round(spec: Path) -> None:
    """An option without a default is optional and unset, which only `required: false` and no default may say."""
    unset = {name for name, option in options(spec).items() if "default" not in option}
    assert set(defaults(spec)) - set(options(spec)) == set(), "defaults that argument_specs does not know"
    assert set(options(spec)) - set(defaults(spec)) - unset == set(), "options whose default only argument_specs knows"


def setting_of(text: object) -> dict:
    """Return what a default of the form lookup('kubestress.core.setting', …) says: name, env, default; else nothing."""
    if not isinstance(text, str) or "kubestress.core.setting" not in text:
        return {}
    call = next(call for call in jinja2.Environment().parse(text).find_all(jinja2.nodes.Call))
    name = call.args[1].as_const()
    return {"name": name} | {keyword.key: keyword.value.as_const() for keyword in call.kwargs}


@pytest.mark.parametrize("spec", ROLES)
def test_default_says_the_same_in_both_places(spec: Path) -> None:
    said = options(spec)
    for name, default in defaults(spec).items():
        setting = setting_of(default)
        assert setting.get("name", name) == name
        wanted = setting.get("default") if setting else default
        if "default" in said[name]:
            assert said[name]["default"] == wanted, name
        else:
            assert wanted in (None, ""), f"{name}: argument_specs has no default, defaults/main.yml says {wanted!r}"


@pytest.mark.parametrize(("environment", "variable"), sorted(ENVIRONMENT.items()))
def test_environment_variable_of_the_old_scripts_is_read_and_documented(environment: str, variable: str) -> None:
    everything = {name: (option, spec.values[0]) for spec in ROLES for name, option in options(spec.values[0]).items()}
    option, spec = everything[variable]
    assert setting_of(defaults(spec)[variable]).get("env") == environment
    assert f"({environment})" in str(option["description"])


@pytest.mark.parametrize("spec", ROLES)
def test_entry_point_has_its_tasks(spec: Path) -> None:
    missing = [name for name in entry_points(spec) if not (role_of(spec) / "tasks" / f"{name}.yml").exists()]
    assert missing == []


@pytest.mark.parametrize("spec", ROLES)
def test_every_variable_is_described(spec: Path) -> None:
    assert [name for name, option in options(spec).items() if not option.get("description")] == []


# --- size: a module can be read in one sitting, a function on one screen ---------------------------------------------


def code_lines(tree: ast.Module, source: str) -> int:
    """Return how many lines carry code: no blank lines, comments, docstrings or documentation strings."""
    lines = source.splitlines()
    text: set[int] = set()
    for node in ast.walk(tree):
        if not isinstance(node, ast.Expr | ast.Assign) or not isinstance(node.value, ast.Constant):
            continue
        last = node.end_lineno or node.lineno
        if isinstance(node.value.value, str) and (last > node.lineno or isinstance(node, ast.Expr)):
            text.update(range(node.lineno, last + 1))
    numbered = enumerate(lines, start=1)
    return sum(
        1 for number, line in numbered if number not in text and line.strip() and not line.strip().startswith("#")
    )


@pytest.mark.parametrize("path", found("plugins/**/*.py") + found("scripts/*.py"))
def test_size(path: Path) -> None:
    source = path.read_text()
    tree = ast.parse(source)
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    lengths = {function.name: (function.end_lineno or 0) - function.lineno + 1 for function in functions}
    long = {name: lines for name, lines in lengths.items() if lines > MAX_FUNCTION_LINES}
    assert long == {}, f"functions longer than {MAX_FUNCTION_LINES} lines"
    lines = code_lines(tree, source)
    assert lines <= MAX_CODE_LINES
