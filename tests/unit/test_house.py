"""The house's own rules, where no linter has them: everything is tested, documented, listed and of a readable size."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import settings_files
import yaml
from ansible_collections.kubestress.core.plugins.module_utils.settings.names import Findings, unknown_names
from ansible_collections.kubestress.core.plugins.module_utils.settings.setting import Role
from ansible_collections.kubestress.core.plugins.module_utils.settings.table import ROLES, SETTINGS

CHECKOUT = Path(__file__).resolve().parents[2]
PLUGINS = CHECKOUT / "plugins"
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


class _Once(yaml.SafeLoader):
    """Loads YAML as Ansible does, to which a key that a merge gave before is a duplicate."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False):
        """Return the mapping. Raises AssertionError for a key that is there twice."""
        self.flatten_mapping(node)
        keys = [self.construct_object(key) for key, _value in node.value]
        assert len(keys) == len(set(keys)), f"line {node.start_mark.line + 1}: Ansible warns of a duplicate key: {keys}"
        return super().construct_mapping(node, deep)


@pytest.mark.parametrize("path", found("roles/*/*/*.yml") + found("playbooks/**/*.yml") + found("meta/*.yml"))
def test_ansible_loads_it_without_a_warning(path: Path) -> None:
    yaml.load(path.read_text(), _Once)


# --- every module, plugin, role and playbook is tested ---------------------------------------------------------------


@pytest.fixture(scope="module")
def live_tests() -> str:
    """Return the text of all tests that run against a control plane."""
    return texts("tests/integration/**/*.py", "tests/integration/**/*.yml", "extensions/molecule/**/*.yml")


@pytest.mark.parametrize("scenario", found("extensions/molecule/*/molecule.yml"))
def test_a_second_converge_changes_nothing_in_every_scenario(scenario: Path) -> None:
    common = load(CHECKOUT / "extensions" / "molecule" / "config.yml")["scenario"]
    sequence = {**common, **(load(scenario) or {}).get("scenario", {})}["test_sequence"]
    assert sequence[sequence.index("converge") + 1] == "idempotence"


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


@pytest.mark.parametrize("test", found("tests/unit/plugins/**/test_*.py"))
def test_unit_tests_mirror_plugins(test: Path) -> None:
    folder = PLUGINS / test.parent.relative_to(CHECKOUT / "tests" / "unit" / "plugins")
    tested = folder / f"{test.stem.removeprefix('test_')}.py"
    assert tested.exists(), f"there is no {tested.relative_to(CHECKOUT)} that this could test"


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


# --- roles: what they say of variables is generated from one table ---------------------------------------------------


# The figures of the workloads, as users know them from the scripts that this collection replaces: environment variable,
# old flags, role variable, default.
OLD_NAMES = {
    "TOTAL_NAMESPACES": ("--total-namespaces", "namespaces_total", 100),
    "NAMESPACE_PARALLEL": ("--namespace-parallel", "namespaces_parallel", 10),
    "NAMESPACE_PREFIX": ("--namespace-prefix", "namespaces_prefix", "deploy-test"),
    "NAMESPACE_READY_TIMEOUT": ("--namespace-timeout", "namespaces_ready_timeout", 60),
    "DEPLOYMENTS_PER_NS": ("--deployments-per-ns", "deployments_per_namespace", 3),
    "DEPLOYMENT_READY_TIMEOUT": ("--deployment-ready-timeout", "deployments_ready_timeout", 600),
    "SERVICE_ENABLED": ("--service-enabled --no-service", "deployments_service_enabled", False),
    "CURL_TEST_ENABLED": ("--curl-test-enabled --no-curl-test", "connectivity_enabled", False),
    "CURL_TEST_INTERVAL": ("--curl-interval", "connectivity_interval", 30),
    "CURL_TEST_COUNT": ("--curl-count", "connectivity_count", 10),
    "STATEFULSET_ENABLED": ("--statefulset-enabled --no-statefulset", "statefulsets_enabled", True),
    "STATEFULSET_REPLICAS": ("--statefulset-replicas", "statefulsets_replicas", 3),
    "STATEFULSETS_PER_NS": ("--statefulsets-per-ns", "statefulsets_per_namespace", 1),
    "BUILD_JOB_ENABLED": ("--build-job-enabled --no-build-job", "build_jobs_enabled", False),
    "BUILDS_PER_NS": ("--builds-per-ns", "build_jobs_completions", 10),
    "BUILD_PARALLELISM": ("--build-parallelism", "build_jobs_parallelism", 3),
    "BUILD_TIMEOUT": ("--build-timeout", "build_jobs_timeout", 900),
    "MAX_CONCURRENT_OPERATIONS": ("--max-concurrent --max-concurrent-operations", "run_max_concurrent", 50),
    "CLEANUP_ON_COMPLETION": ("--cleanup", "cleanup_on_completion", False),
    "LOG_FILE": ("--log-file", "run_log_file", ""),
    "LOG_LEVEL": ("--log-level", "run_log_level", "INFO"),
}
FURTHER_DEFAULTS = {
    "deployments_replicas": 1,
    "run_qps": 0,
    "run_burst": 0,
    "run_seed": 1,
    "run_node_selector": {},
    "run_tolerations": [],
    "run_image_pull_secrets": [],
    "run_user_id": None,
    "build_jobs_per_namespace": 20,
    "build_jobs_active_per_namespace": 1,
    "build_jobs_wave_pause": 1,
    "build_jobs_ttl": 300,
    "build_jobs_backoff_limit": 2,
    "build_jobs_wait_timeout": 0,
    "build_jobs_stall_timeout": 0,
    "build_jobs_time_scale": 1.0,
    "build_jobs_processes": 72,
    "build_jobs_requests": {"cpu": "50m", "memory": "64Mi"},
    "build_jobs_limits": {"cpu": "500m", "memory": "256Mi"},
    "statefulsets_requests": {"memory": "48Mi"},
    "statefulsets_limits": {"memory": "64Mi"},
    "statefulsets_memory_total": "80Mi",
    "statefulsets_memory_step": "5Mi",
    "preflight_exact_pods": 20_000,
}


def test_every_role_is_in_the_table() -> None:
    assert set(ROLES) == {path.parent.name for path in CHECKOUT.glob("roles/*/tasks")}


def test_environment_variables_and_flags_of_the_old_scripts() -> None:
    table = [setting for setting in SETTINGS.values() if setting.environment]
    assert {
        setting.environment: (" ".join(setting.old_flags), setting.name, setting.default) for setting in table
    } == OLD_NAMES


@pytest.mark.parametrize("name", ["--verify-ssl", "K8S_VERIFY", "VERIFY_SSL", "K8S_CA_CERT", "--help"])
def test_old_names_that_are_no_settings_have_their_successor(name: str) -> None:
    rows = [line for line in (CHECKOUT / "docs" / "settings.md").read_text().splitlines() if f"`{name}`" in line]
    assert [row.count("|") for row in rows] == [3], "one row of the table, with what to use"


def test_defaults_of_the_workloads() -> None:
    assert {name: SETTINGS[name].default for name in FURTHER_DEFAULTS} == FURTHER_DEFAULTS
    assert str(SETTINGS["build_jobs_processes"].allowed) == "60 to 85"


@pytest.mark.parametrize("path", settings_files.files())
def test_files_generated_from_the_table_are_current(path: str) -> None:
    assert (CHECKOUT / path).read_text() == settings_files.files()[path], "run `make docs` and commit what it writes"


@pytest.mark.parametrize("role", ROLES.values(), ids=list(ROLES))
def test_role_defaults_and_argument_specs_are_those_of_the_table(role: Role) -> None:
    """As Ansible reads them, however they are folded."""
    defaults = load(CHECKOUT / "roles" / role.name / "defaults" / "main.yml")
    assert defaults == {
        setting.name: setting.role_default for setting in role.settings if setting.of_run or setting.default is not None
    }
    specs = load(CHECKOUT / "roles" / role.name / "meta" / "argument_specs.yml")["argument_specs"]
    assert list(specs) == [entry.name for entry in role.entries]
    options = {name: option for entry in specs.values() for name, option in entry.get("options", {}).items()}
    assert list(options) == [setting.name for setting in role.settings]
    for setting in role.settings:
        option = options[setting.name]
        assert option.get("default") == setting.default
        assert f"Must be {setting.allowed}." in option["description"] or not setting.allowed


@pytest.mark.parametrize("role", ROLES.values(), ids=list(ROLES))
def test_entry_point_has_its_tasks(role: Role) -> None:
    tasks = CHECKOUT / "roles" / role.name / "tasks"
    assert [entry.name for entry in role.entries if not (tasks / f"{entry.name}.yml").exists()] == []


# --- variables of tasks: an extra var of the same name would win, so nobody else may have it ------------------------


def own_variables(tasks: list, path: Path) -> Iterator[tuple[str, str]]:
    """Yield (name, where) of all variables that tasks set: vars of tasks and blocks, facts, results and loops."""
    for task in tasks:
        where = f"{path.relative_to(CHECKOUT)}: {task.get('name')}"
        facts = task.get("ansible.builtin.set_fact") or {}
        loop = task.get("loop_control") or {}
        named = [task["register"]] if "register" in task else []
        named += [value for key, value in loop.items() if key in ("loop_var", "index_var", "extended_var")]
        # What is handed to an imported playbook are settings, which extra vars are meant to win over.
        variables = {} if "ansible.builtin.import_playbook" in task else task.get("vars") or {}
        yield from ((name, where) for name in [*variables, *facts, *named] if name != "cacheable")
        parts = ("tasks", "pre_tasks", "post_tasks", "handlers", "block", "rescue", "always")
        yield from (found for part in parts for found in own_variables(task.get(part) or [], path))


OWNED_TASKS = [
    *(pytest.param(*one.values, one.values[0].parts[-3], id=one.id) for one in found("roles/*/tasks/*.yml")),
    *(pytest.param(*one.values, one.values[0].stem, id=one.id) for one in found("playbooks/*.yml")),
]


@pytest.mark.parametrize(("path", "owner"), OWNED_TASKS)
def test_variables_of_tasks_have_names_of_our_own(path: Path, owner: str) -> None:
    """Settings that a play fixes, and Ansible's own variables, aside."""
    allowed = ("kubestress_", f"{owner}_", "ansible_")
    strange = [
        f"{where}: {name}"
        for name, where in own_variables(load(path), path)
        if not name.startswith(allowed) and name not in SETTINGS
    ]
    assert strange == []


def test_what_roles_keep_is_no_unknown_variable_for_a_later_role_nor_an_artifact_for_a_later_job() -> None:
    """A play that runs two roles, or one twice, has the results of the first among its variables."""
    kept, artifacts = set[str](), set[str]()
    for path in CHECKOUT.glob("roles/*/tasks/*.yml"):
        for task in every_task(load(path)):
            kept |= {*(task.get("ansible.builtin.set_fact") or {}), *([task["register"]] if "register" in task else [])}
            artifacts |= {*((task.get("ansible.builtin.set_stats") or {}).get("data") or {})}
    prefixes = {f"{role}_" for role in ROLES} | {"kubestress_"}
    assert {"storage_watch_result", "run_batch"} <= kept
    assert "kubestress_storage_watch" in artifacts
    found = [
        unknown_names(kept - {"cacheable"}, known=SETTINGS, prefixes=prefixes, extra_vars={}, refuse=True),
        unknown_names(artifacts, known=SETTINGS, prefixes=prefixes, extra_vars=dict.fromkeys(artifacts), refuse=True),
    ]
    assert found == [Findings(), Findings()]


def every_task(tasks: list) -> Iterator[dict]:
    """Yield all tasks, those of blocks included."""
    for task in tasks:
        yield task
        for part in ("block", "rescue", "always"):
            yield from every_task(task.get(part) or [])


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
