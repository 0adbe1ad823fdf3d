"""The workload roles' plans, made by Ansible, read by the engine, and every object of them shown to the API server."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.kubestress.core.plugins.module_utils.plan.fragment import Context, Fragment, parse_fragments

ROLES = Path(__file__).resolve().parents[2] / "roles"
WORKLOADS = ("namespaces", "deployments", "connectivity", "statefulsets", "volumes", "build_jobs")
# What argument_specs cannot say as a default, and what keeps the plans small.
CHOSEN: dict[str, Any] = {
    "run_seed": 1,
    "run_user_id": None,
    "run_node_selector": {},
    "run_tolerations": [],
    "run_image_pull_secrets": [],
    "build_jobs_enabled": True,
    "connectivity_enabled": True,
    "deployments_service_enabled": True,
}
PLAYBOOK = """
- hosts: localhost
  connection: local
  gather_facts: false
  tasks:
    - name: Plan each workload
      ansible.builtin.include_role:
        name: "kubestress.core.{{ item }}"
        tasks_from: plan
      loop: "{{ workloads }}"
    - name: Show the plan to the test
      ansible.builtin.copy:
        content: "{{ kubestress_plan | to_json }}"
        dest: "{{ plan_file }}"
        mode: "0600"
"""

Plan = dict[str, dict[str, Any]]
MakePlan = Callable[..., Plan]


def settings(**given: Any) -> dict[str, Any]:
    """Return all workloads' settings: the specified defaults, typed, as the action `settings` gives them."""
    found: dict[str, Any] = {}
    for role in WORKLOADS:
        spec = yaml.safe_load((ROLES / role / "meta" / "argument_specs.yml").read_text())
        found |= {name: option["default"] for name, option in spec["argument_specs"]["main"]["options"].items()}
    return found | CHOSEN | given


@pytest.fixture(scope="module")
def make_plan(cluster_free_playbook, tmp_path_factory: pytest.TempPathFactory) -> MakePlan:
    """Return a function that has Ansible make the plan of all workloads: role -> fragment, in order."""
    folder = tmp_path_factory.mktemp("plans")
    playbook = folder / "plan.yml"
    playbook.write_text(PLAYBOOK)

    def make(*, workloads: tuple[str, ...] = WORKLOADS, **given: Any) -> Plan:
        plan_file = folder / "plan.json"
        plan_file.unlink(missing_ok=True)
        known = {"kubestress_settings": settings(**given), "workloads": workloads, "plan_file": str(plan_file)}
        done = cluster_free_playbook(playbook, extra_vars=known, cwd=folder)
        assert done.rc == 0, done.output
        fragments = json.loads(plan_file.read_text())
        return {fragment["role"]: fragment for fragment in fragments}

    return make


@pytest.fixture(scope="module")
def plan(make_plan: MakePlan) -> Plan:
    """Return the plan of all workloads with everything switched on."""
    return make_plan()


def compiled(plan: Plan, *, run_id: str = "r-1", openshift: bool = False) -> dict[str, Fragment]:
    """Return the engine's reading of a plan, the templates read as the action plug-in does."""
    for fragment in plan.values():
        for item in (item for step in fragment["steps"] for item in step):
            item["content"] = Path(item["template"]).read_text()
    fragments = parse_fragments(list(plan.values()), Context(run_id=run_id, openshift=openshift))
    return {fragment.role: fragment for fragment in fragments}


def objects(fragment: Fragment, *, namespace: str, indexes: tuple[int, ...] = (1,)) -> list[dict[str, Any]]:
    """Return the objects of some members of a fragment, in the order in which they are sent."""
    return [
        json.loads(rendered.body)
        for index in indexes
        for step in range(len(fragment.steps))
        for rendered in fragment.render_step(step, fragment.values(namespace=namespace, namespace_index=1, index=index))
    ]


def pod_templates(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the pods among the objects, and those that controllers would make, each under its owner's name."""
    bare = [each for each in found if each["kind"] == "Pod"]
    return bare + [
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {**owner["spec"]["template"]["metadata"], "name": owner["metadata"]["name"]},
            "spec": {"restartPolicy": "Always", **owner["spec"]["template"]["spec"]},
        }
        for owner in found
        if "template" in owner.get("spec", {})
    ]


@pytest.fixture(scope="module")
def restricted_namespace(kubectl, tmp_path_factory: pytest.TempPathFactory):
    """Yield a namespace in which Kubernetes enforces Pod Security's strictest level, as OpenShift and others do."""
    name = f"wl-{tmp_path_factory.mktemp('ns').name.replace('_', '-')}-{id(kubectl):x}"
    level = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "warn")}
    kubectl(
        "create",
        "-f",
        "-",
        stdin=json.dumps({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": level}}),
    )
    kubectl("wait", f"-n={name}", "--for=create", "--timeout=240s", "serviceaccount/default")
    yield name
    kubectl("delete", "namespace", name, "--wait=false")


def test_the_plan_has_the_counts_and_limits_of_the_settings(plan: Plan) -> None:
    assert list(plan) == list(WORKLOADS)
    assert plan["deployments"]["count"] == 3
    assert plan["statefulsets"]["count"] == 1
    assert plan["statefulsets"]["expect"] == "restarts"
    assert plan["connectivity"]["after"] == ["deployments"]
    assert (plan["build_jobs"]["count"], len(plan["build_jobs"]["members"])) == (20, 20)
    assert plan["build_jobs"]["active"] == 1
    assert plan["build_jobs"]["wave"] == {"size": 3, "pause": 1}
    # No absolute limit; as long as it moves, but no longer than a Job's deadline and a minute without a move.
    builds = compiled(plan)["build_jobs"]
    assert (builds.ready_timeout_seconds, builds.stall_timeout_seconds) == (0, 900 + 60)


def test_namespaces_come_first_whichever_role_plans_first(make_plan: MakePlan) -> None:
    assert list(make_plan(workloads=("statefulsets", "namespaces"))) == ["namespaces", "statefulsets"]


def test_a_check_without_deployments_in_its_batch_waits_for_none(make_plan: MakePlan) -> None:
    assert make_plan(workloads=("connectivity",))["connectivity"]["after"] == []


def test_each_deployment_has_its_own_config_maps_and_secrets_before_it(plan: Plan) -> None:
    found = objects(compiled(plan)["deployments"], namespace="a-1", indexes=(1, 2, 3))
    kinds = [each["kind"] for each in found]

    assert kinds == ["ConfigMap", "ConfigMap", "Secret", "Secret", "Service", "Deployment"] * 3
    assert max(Counter((each["kind"], each["metadata"]["name"]) for each in found).values()) == 1
    for deployment in (each for each in found if each["kind"] == "Deployment"):
        volumes = deployment["spec"]["template"]["spec"]["volumes"]
        name = deployment["metadata"]["name"]
        used = {volume.get("configMap", {}).get("name") or volume["secret"]["secretName"] for volume in volumes}
        assert used == {f"{name}-{kind}-{number}" for kind in ("config", "secret") for number in (1, 2)}
        mounts = deployment["spec"]["template"]["spec"]["containers"][0]["volumeMounts"]
        assert {mount["name"] for mount in mounts} == {volume["name"] for volume in volumes}


def test_without_services_there_is_none_and_pods_only_wait(make_plan: MakePlan) -> None:
    found = objects(compiled(make_plan(deployments_service_enabled=False))["deployments"], namespace="a-1")
    container = found[-1]["spec"]["template"]["spec"]["containers"][0]

    assert [each["kind"] for each in found] == ["ConfigMap", "ConfigMap", "Secret", "Secret", "Deployment"]
    assert container["args"] == ["pause"]
    assert "readinessProbe" not in container


def test_build_jobs_are_as_specified(plan: Plan) -> None:
    found = objects(compiled(plan)["build_jobs"], namespace="a-1", indexes=(1, 20))
    assert found[0]["metadata"]["name"] != found[1]["metadata"]["name"]
    for job in found:
        spec, pod = job["spec"], job["spec"]["template"]
        assert spec.items() >= {
            "completions": 10, "parallelism": 3, "backoffLimit": 2, "ttlSecondsAfterFinished": 300,
            "activeDeadlineSeconds": 900, "podReplacementPolicy": "Failed",
        }.items()  # fmt: skip
        for metadata in (job["metadata"], pod["metadata"]):
            assert metadata["labels"].items() >= {"app": "build-simulator", "type": "build-job"}.items()
            assert metadata["annotations"].items() >= {
                "build.type": "jee-microservice", "build.tool": "maven"
            }.items()  # fmt: skip
        container = pod["spec"]["containers"][0]
        env = {entry["name"]: entry.get("value") or entry["valueFrom"]["fieldRef"]["fieldPath"]
               for entry in container["env"]}  # fmt: skip
        assert pod["spec"]["restartPolicy"] == "Never"
        assert container["args"] == [(ROLES / "build_jobs" / "files" / "build.sh").read_text().rstrip("\n")]
        assert container["resources"] == {
            "requests": {"memory": "64Mi", "cpu": "50m"}, "limits": {"memory": "256Mi", "cpu": "500m"}
        }  # fmt: skip
        assert env.items() >= {
            "JOB_NAME": job["metadata"]["name"], "NAMESPACE": "metadata.namespace", "POD_NAME": "metadata.name",
            "MAVEN_OPTS": "-Xmx400m -Xms200m", "BUILD_TYPE": "microservice", "BUILD_PROCESSES": "72",
        }.items()  # fmt: skip


def test_every_object_is_accepted_and_its_pods_pass_the_strictest_pod_security(
    plan: Plan, kubectl, restricted_namespace: str
) -> None:
    fragments = compiled(plan)
    namespace = objects(fragments.pop("namespaces"), namespace=f"{restricted_namespace}-other")
    found = [each for fragment in fragments.values() for each in objects(fragment, namespace=restricted_namespace)]
    pods = [pod for pod in pod_templates(found) if pod not in found]
    assert len(pods) == 4

    kubectl("create", "--dry-run=server", "--validate=strict", "-f", "-", stdin=json.dumps(namespace[0]))
    accepted = kubectl(
        "apply", "-n", restricted_namespace, "--dry-run=server", "--validate=strict", "-f", "-",
        stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": [*found, *pods]}),
    )  # fmt: skip

    assert len(accepted["items"]) == len(found) + len(pods)


def test_placement_reaches_every_pod(make_plan: MakePlan) -> None:
    given = make_plan(
        run_user_id=1000,
        run_node_selector={"pool": "stress"},
        run_tolerations=[{"key": "stress", "operator": "Exists"}],
        run_image_pull_secrets=["registry"],
    )
    fragments = compiled(given)
    pods = [pod["spec"] for fragment in fragments.values() for pod in pod_templates(objects(fragment, namespace="a"))]

    assert len(pods) == 5
    for pod in pods:
        assert pod["securityContext"]["runAsUser"] == 1000
        assert pod["nodeSelector"] == {"pool": "stress"}
        assert pod["tolerations"] == [{"key": "stress", "operator": "Exists"}]
        assert pod["imagePullSecrets"] == [{"name": "registry"}]


def test_openshift_chooses_the_user_itself(make_plan: MakePlan) -> None:
    """Its namespaces have ranges of user ids; a pod that names another one is refused."""
    fragments = compiled(make_plan(), openshift=True)
    pods = [pod["spec"] for fragment in fragments.values() for pod in pod_templates(objects(fragment, namespace="a"))]

    assert [pod["securityContext"]["runAsUser"] for pod in pods] == [None] * 5
    assert [pod["securityContext"]["runAsNonRoot"] for pod in pods] == [True] * 5


def test_a_template_of_the_users_is_left_to_be_found_beside_the_playbook(make_plan: MakePlan) -> None:
    plan = make_plan(build_jobs_template="my_job.yml.j2", deployments_secret_template="/etc/mine/secret.yml.j2")

    assert plan["build_jobs"]["steps"] == [[{"template": "my_job.yml.j2"}]]
    assert plan["deployments"]["steps"][0][1] == {"template": "/etc/mine/secret.yml.j2", "count": 2}


def test_values_of_any_shape_stay_values(make_plan: MakePlan) -> None:
    hostile = "x\"}\n  kind: Pod\n' - [#"
    plan = make_plan(namespaces_annotations={"note": hostile}, deployments_image=hostile)
    fragments = compiled(plan)

    assert objects(fragments["namespaces"], namespace="a-1")[0]["metadata"]["annotations"] == {"note": hostile}
    container = objects(fragments["deployments"], namespace="a-1")[-1]["spec"]["template"]["spec"]["containers"][0]
    assert container["image"] == hostile


def test_a_template_beside_the_playbook_is_used_and_the_role_makes_its_namespaces(
    ansible_playbook, kubectl, run_id: str, prefix: str, tmp_path: Path
) -> None:
    """A whole play with one role: settings, plan, batch."""
    playbook = tmp_path / "play.yml"
    playbook.write_text(
        "- {hosts: localhost, connection: local, gather_facts: false, roles: [kubestress.core.deployments]}\n"
    )
    mine = tmp_path / "templates" / "mine.yml.j2"
    mine.parent.mkdir()
    own = (ROLES / "deployments" / "templates" / "deployment_config_map.yml.j2").read_text()
    mine.write_text(own + "  mine.txt: {{ namespaces_prefix }} {{ namespace_index }} {{ index }} {{ item }}\n")
    chosen = {
        "run_id": run_id,
        "namespaces_prefix": prefix,
        "namespaces_total": 1,
        "deployments_per_namespace": 1,
        "deployments_config_map_template": "mine.yml.j2",
    }

    done = ansible_playbook(playbook, extra_vars=chosen, cwd=tmp_path)

    assert done.rc == 0, done.output
    found = kubectl("get", "configmaps", "-n", f"{prefix}-1", "-l", f"kubestress.core/run-id={run_id}")["items"]
    assert [each["data"]["mine.txt"] for each in found] == [f"{prefix} 1 1 1", f"{prefix} 1 1 2"]
    ready = kubectl("get", "deployment", "-n", f"{prefix}-1", "deployment-1")["status"]
    assert ready["availableReplicas"] == 1


def test_a_template_that_is_nowhere_is_named(cluster_free_playbook, tmp_path: Path) -> None:
    playbook = tmp_path / "play.yml"
    playbook.write_text(
        "- {hosts: localhost, connection: local, gather_facts: false, roles: [kubestress.core.namespaces]}\n"
    )

    done = cluster_free_playbook(playbook, extra_vars={"namespaces_template": "nowhere.yml.j2"}, cwd=tmp_path)

    assert done.rc != 0
    assert "fragments: template nowhere.yml.j2: " in done.output
