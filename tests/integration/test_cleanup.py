"""kubestress.core.cleanup, as module, role and playbook: removes one run and nothing else, and names what blocks."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from helpers.one_task import returned
from helpers.waiting import until

PLAYBOOK = "kubestress.core.cleanup"
#: Seconds for what needs the namespace controller: it begins 5 s after a deletion, and busy machines are slow.
PATIENCE_SECONDS = 120


def labels_of(run: str) -> dict[str, str]:
    return {
        "app.kubernetes.io/managed-by": "kubestress",
        "kubestress.core/run-id": run,
        "kubestress.core/role": "test",
        "deployment-test": "true",
    }


def an_object(kind: str, name: str, *, namespace: str = "", labels: dict[str, str] | None = None, **rest: Any) -> Any:
    metadata: dict[str, Any] = {"name": name, "labels": labels or {}} | ({"namespace": namespace} if namespace else {})
    metadata |= rest.pop("metadata", {})
    return {"apiVersion": rest.pop("api_version", "v1"), "kind": kind, "metadata": metadata, **rest}


def a_deployment(name: str, *, namespace: str, labels: dict[str, str]) -> Any:
    template = {
        "metadata": {"labels": {"app": name, **labels}},
        "spec": {"containers": [{"name": "main", "image": "registry.example/none:1"}]},
    }
    spec = {"selector": {"matchLabels": {"app": name}}, "template": template}
    return an_object("Deployment", name, namespace=namespace, labels=labels, api_version="apps/v1", spec=spec)


@pytest.fixture
def base() -> str:
    """Return the beginning of names that nobody else has."""
    return f"cl-{secrets.token_hex(3)}"


@pytest.fixture
def other_run(base: str, kubectl: Any) -> Iterator[str]:
    """Yield the id of a run beside the one that is cleaned up."""
    name = f"{base}-other"
    yield name
    kubectl("delete", "namespaces", "-l", f"kubestress.core/run-id={name}", "--wait=false")


@pytest.fixture
def create(kubectl: Any) -> Callable[..., None]:
    """Return a function that creates objects by kubectl."""

    def run(*objects: Any) -> None:
        for each in objects:
            kubectl("create", "-f", "-", stdin=json.dumps(each))

    return run


@pytest.fixture
def names(kubectl: Any) -> Callable[..., set[str]]:
    """Return a function that gives the names that kubectl get finds."""

    def run(*arguments: str) -> set[str]:
        return {item["metadata"]["name"] for item in kubectl("get", *arguments)["items"]}

    return run


@pytest.fixture
def stranger(base: str, create: Any, kubectl: Any) -> Iterator[str]:
    """Yield a namespace that belongs to no run, with a ConfigMap that looks like ours but for the run's label."""
    name = f"{base}-stranger"
    looks = {"deployment-test": "true", "app.kubernetes.io/managed-by": "kubestress"}
    create(an_object("Namespace", name, labels=looks), an_object("ConfigMap", "settings", namespace=name, labels=looks))
    yield name
    kubectl("delete", "namespace", name, "--wait=false")


@pytest.fixture
def module(tmp_path: Path, ansible_playbook: Any, run_id: str) -> Callable[..., Any]:
    """Return a function that runs the module alone, with options, and gives exit code and what the task returned."""

    def run(*arguments: str, **options: Any) -> tuple[int, dict[str, Any]]:
        task = {"run_id": run_id, "wait_timeout": PATIENCE_SECONDS} | options
        return returned(ansible_playbook, tmp_path, "kubestress.core.cleanup", task, *arguments)

    return run


@pytest.mark.slow
@pytest.mark.timeout(900)  # it looks at, and removes, whatever runs earlier tests have left
def test_runs_are_listed_and_old_ones_removed_by_age(
    ansible_playbook: Any, create: Any, names: Any, base: str, run_id: str, other_run: str, tmp_path: Path
) -> None:
    old = 45
    for run, namespace in ((run_id, f"{base}-1"), (other_run, f"{base}-2")):
        labels = labels_of(run)
        create(
            an_object("Namespace", namespace, labels=labels),
            an_object("ConfigMap", "a", namespace=namespace, labels=labels),
        )

    def goes_on() -> None:
        """The other run makes one more object."""
        name = f"c-{secrets.token_hex(3)}"
        create(an_object("ConfigMap", name, namespace=f"{base}-2", labels=labels_of(other_run)))

    def runs(**options: Any) -> dict[str, Any]:
        rc, answer = returned(ansible_playbook, tmp_path, "kubestress.core.runs_info", options)
        assert rc == 0, answer
        return {run["run_id"]: run for run in answer["runs"]}

    listed = ansible_playbook("kubestress.core.runs")
    assert listed.rc == 0, listed.output
    assert run_id in listed.stdout
    assert other_run in listed.stdout
    for wrong in (("run_id=x", f"cleanup_older_than={old}"), ("cleanup_older_than=0",), (f"cleanup_oldr_than={old}",)):
        refused = ansible_playbook(PLAYBOOK, *(word for option in wrong for word in ("-e", option)))
        assert refused.rc != 0
        assert "cleanup_old" in refused.output
    until(lambda: runs()[run_id]["idle_seconds"] >= old, seconds=90)
    goes_on()
    found = runs(older_than=old)
    assert {run_id, other_run} & set(found) == {run_id}
    assert found[run_id]["namespaces"] == [f"{base}-1"]
    assert found[run_id]["objects"].items() >= {"Namespace": 1, "ConfigMap": 1}.items()

    goes_on()
    looked = ansible_playbook(PLAYBOOK, "--check", "-e", f"cleanup_older_than={old}")
    assert f"of run {run_id} would be deleted" in looked.stdout
    assert f"of run {other_run} would" not in looked.stdout
    assert f"{base}-1" in names("namespaces")

    # Other tests may have left what cannot be removed: the exit code is not looked at, and nothing is waited for long.
    goes_on()
    done = ansible_playbook(PLAYBOOK, "-e", f"cleanup_older_than={old}", "-e", "cleanup_timeout=10")
    assert run_id in done.stdout
    until(lambda: f"{base}-1" not in names("namespaces"), seconds=PATIENCE_SECONDS)
    assert f"{base}-2" in names("namespaces")


def test_removes_exactly_one_of_two_runs_side_by_side(
    ansible_playbook: Any, create: Any, names: Any, base: str, run_id: str, other_run: str, stranger: str
) -> None:
    for run, number in ((run_id, 1), (run_id, 2), (other_run, 3)):
        namespace = f"{base}-{number}"
        labels = labels_of(run)
        create(
            an_object("Namespace", namespace, labels=labels),
            an_object("ConfigMap", "settings", namespace=namespace, labels=labels),
            a_deployment("web", namespace=namespace, labels=labels),
        )
    # Both runs, and somebody else, share the stranger's namespace (as with namespaces_existing), under the same names.
    create(
        an_object("ConfigMap", "ours", namespace=stranger, labels=labels_of(run_id)),
        an_object("Secret", "theirs", namespace=stranger, labels=labels_of(other_run)),
        a_deployment("ours", namespace=stranger, labels=labels_of(run_id)),
        an_object("ClusterRole", f"{base}-ours", labels=labels_of(run_id), api_version="rbac.authorization.k8s.io/v1"),
    )

    done = ansible_playbook(PLAYBOOK, "-e", f"run_id={run_id}", "-e", f"cleanup_timeout={PATIENCE_SECONDS}")

    assert done.rc == 0, done.output
    left = names("namespaces")
    assert {f"{base}-1", f"{base}-2"} & left == set()
    assert {f"{base}-3", stranger} <= left
    assert {"settings"} <= names("configmaps", "-n", f"{base}-3")
    assert names("deployments,replicasets,pods", "-n", stranger) == set()
    assert names("configmaps", "-n", stranger) == {"settings", "kube-root-ca.crt"}
    assert names("secrets", "-n", stranger) == {"theirs"}
    assert names("clusterroles", "-l", f"kubestress.core/run-id={run_id}") == set()

    again = ansible_playbook(PLAYBOOK, "-e", f"run_id={run_id}")
    assert again.rc == 0, again.output
    assert "changed=0" in again.stdout
    assert f"nothing on this cluster has the labels of run {run_id}" in again.stdout


def test_check_mode_lists_and_deletes_nothing(module: Any, create: Any, names: Any, base: str, run_id: str) -> None:
    create(
        an_object("Namespace", base, labels=labels_of(run_id)),
        an_object("ConfigMap", "a", namespace=base, labels=labels_of(run_id)),
        an_object("ConfigMap", "b", namespace=base, labels=labels_of(run_id)),
    )
    rc, answer = module("--check", "--diff")
    assert rc == 0
    assert answer["changed"] is True
    assert answer["objects"] == {
        "ConfigMap": {"found": 2, "deleted": 2},
        "Namespace": {"found": 1, "deleted": 1},
    }
    assert "3 of 3 objects" in answer["msg"]
    assert "would be deleted" in answer["msg"]
    assert answer["diff"] == {"before": f"Namespace {base} with 2 ConfigMap\n", "after": ""}
    assert names("configmaps", "-n", base) >= {"a", "b"}


def test_a_finalizer_is_named_with_its_object(
    module: Any, create: Any, kubectl: Any, names: Any, base: str, run_id: str
) -> None:
    create(
        an_object("Namespace", base, labels=labels_of(run_id)),
        an_object("ConfigMap", "free", namespace=base, labels=labels_of(run_id)),
        an_object(
            "ConfigMap", "held", namespace=base, labels=labels_of(run_id), metadata={"finalizers": ["example.com/hold"]}
        ),
    )
    try:
        rc, answer = module(wait_timeout=20)
        assert rc != 0
        assert answer["blockers"] == [
            {
                "kind": "ConfigMap",
                "namespace": base,
                "name": "held",
                "cause": "held by finalizer example.com/hold",
                "finalizers": ["example.com/hold"],
                "holds": 1,
            }
        ]
        assert f"blocked by ConfigMap {base}/held: held by finalizer example.com/hold" in answer["msg"]
        assert answer["objects"]["ConfigMap"] == {"found": 2, "deleted": 1}
    finally:
        kubectl("patch", "configmap", "held", "-n", base, "--type=merge", "-p", '{"metadata":{"finalizers":null}}')
    # With the finalizer gone, what was begun is finished.
    rc, answer = module()
    assert rc == 0, answer
    assert base not in names("namespaces")


def test_an_unavailable_api_service_is_named(
    module: Any, create: Any, kubectl: Any, names: Any, base: str, run_id: str
) -> None:
    group = f"{base}.example.com"
    create(
        an_object("Namespace", base, labels=labels_of(run_id)),
        an_object(
            "APIService",
            f"v1.{group}",
            api_version="apiregistration.k8s.io/v1",
            spec={
                "group": group,
                "version": "v1",
                "groupPriorityMinimum": 100,
                "versionPriority": 100,
                "insecureSkipTLSVerify": True,
                "service": {"namespace": "default", "name": f"{base}-absent"},
            },
        ),
    )
    try:
        until = time.monotonic() + PATIENCE_SECONDS
        while not kubectl("get", "apiservice", f"v1.{group}").get("status"):
            assert time.monotonic() < until, "the API server never looked at the APIService"
        rc, answer = module()
        assert rc != 0
        assert f"namespace {base} is kept, because it is unknown what else is in there ({group}/v1: " in answer["msg"]
        assert kubectl("get", "namespace", base)["status"]["phase"] == "Active"

        rc, answer = module(wait_timeout=20, accept_unseen=True)
        assert rc != 0
        named = [row for row in answer["blockers"] if row["name"] == f"v1.{group}"]
        assert [row["kind"] for row in named] == ["APIService"]
        assert f"APIService v1.{group}: is unavailable" in answer["msg"]
        assert f"{base}-absent" in answer["msg"]
    finally:
        kubectl("delete", "apiservice", f"v1.{group}")
    rc, answer = module()
    assert rc == 0, answer
    assert base not in names("namespaces")


def test_a_namespace_with_a_foreign_object_is_kept(
    module: Any, create: Any, names: Any, kubectl: Any, base: str, run_id: str
) -> None:
    create(
        an_object("Namespace", base, labels=labels_of(run_id)),
        an_object("ConfigMap", "ours", namespace=base, labels=labels_of(run_id)),
        an_object("ConfigMap", "notes", namespace=base, labels={"deployment-test": "true"}),
        a_deployment("web", namespace=base, labels=labels_of(run_id)),
    )
    rc, answer = module()
    assert rc != 0
    assert answer["kept"] == [{"namespace": base, "objects": ["ConfigMap notes"], "unseen": []}]
    assert f"namespace {base} is kept, because it contains ConfigMap notes, not part of run {run_id}" in answer["msg"]
    assert "delete_foreign" in answer["msg"]
    assert names("configmaps", "-n", base) == {"notes", "kube-root-ca.crt"}
    assert names("deployments,replicasets,pods", "-n", base) == set()
    assert kubectl("get", "namespace", base)["status"]["phase"] == "Active"

    rc, answer = module(delete_foreign=True)
    assert rc == 0, answer
    assert base not in names("namespaces")


@pytest.fixture
def without_secrets(base: str, create: Any, kubectl: Any) -> Iterator[str]:
    """Yield a user who may do everything but read Secrets."""
    rbac = "rbac.authorization.k8s.io"
    groups = [group["name"] for group in json.loads(kubectl("get", "--raw", "/apis"))["groups"]]
    core = {each["name"] for each in json.loads(kubectl("get", "--raw", "/api/v1"))["resources"]} - {"secrets"}
    rules = [
        {"apiGroups": groups, "resources": ["*"], "verbs": ["*"]},
        {"apiGroups": [""], "resources": sorted(core), "verbs": ["*"]},
    ]
    name, user = f"{base}-no-secrets", f"{base}-user"
    create(
        an_object("ClusterRole", name, api_version=f"{rbac}/v1", rules=rules),
        an_object(
            "ClusterRoleBinding",
            name,
            api_version=f"{rbac}/v1",
            roleRef={"apiGroup": rbac, "kind": "ClusterRole", "name": name},
            subjects=[{"apiGroup": rbac, "kind": "User", "name": user}],
        ),
    )
    yield user
    kubectl("delete", "clusterrolebinding", name)
    kubectl("delete", "clusterrole", name)


def test_a_namespace_that_cannot_be_looked_through_is_kept(
    module: Any, create: Any, names: Any, kubectl: Any, without_secrets: str, base: str, run_id: str
) -> None:
    create(
        an_object("Namespace", base, labels=labels_of(run_id)),
        an_object("ConfigMap", "ours", namespace=base, labels=labels_of(run_id)),
        an_object("Secret", "theirs", namespace=base),
        a_deployment("web", namespace=base, labels=labels_of(run_id)),
    )
    rc, answer = module(impersonate_user=without_secrets)
    assert rc != 0
    assert f"namespace {base} is kept, because it is unknown what else is in there" in answer["msg"]
    assert "missing rights: list secrets; accept_unseen: true" in answer["msg"]
    assert [(row["kind"], row["missing_right"]) for row in answer["kept"][0]["unseen"]] == [("secrets", "list secrets")]
    assert kubectl("get", "namespace", base)["status"]["phase"] == "Active"
    assert names("secrets", "-n", base) == {"theirs"}
    assert names("configmaps", "-n", base) == {"kube-root-ca.crt"}
    assert names("deployments,replicasets,pods", "-n", base) == set()

    rc, answer = module(impersonate_user=without_secrets, accept_unseen=True)
    assert rc == 0, answer
    assert base not in names("namespaces")


def test_what_the_cluster_and_the_runs_own_objects_make_is_not_foreign(
    module: Any, create: Any, kubectl: Any, names: Any, base: str, run_id: str
) -> None:
    """Endpoints, tokens, the namespace's own ServiceAccount, and an object that one of ours owns."""
    create(
        an_object("Namespace", base, labels=labels_of(run_id)),
        an_object("ConfigMap", "owner", namespace=base, labels=labels_of(run_id)),
        an_object(
            "Service",
            "web",
            namespace=base,
            labels=labels_of(run_id),
            spec={"selector": {"app": "web"}, "ports": [{"port": 8080}]},
        ),
    )
    owner = kubectl("get", "configmap", "owner", "-n", base)["metadata"]["uid"]
    reference = {"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": owner}
    create(
        an_object("Secret", "owned", namespace=base, metadata={"ownerReferences": [reference]}),
        an_object("Lease", "lock", namespace=base, api_version="coordination.k8s.io/v1", spec={}),
    )
    rc, answer = module()
    assert rc == 0, answer
    assert answer["kept"] == []
    assert base not in names("namespaces")


def test_a_user_of_one_namespace_cleans_up_there(
    module: Any, create: Any, kubectl: Any, names: Any, stranger: str, run_id: str
) -> None:
    """What may not be listed is told; what may be is removed."""
    rules = [{"apiGroups": ["", "apps"], "resources": ["*"], "verbs": ["*"]}]
    rbac = "rbac.authorization.k8s.io/v1"
    create(
        an_object("ServiceAccount", "tester", namespace=stranger),
        an_object("Role", "tester", namespace=stranger, api_version=rbac, rules=rules),
        an_object(
            "RoleBinding",
            "tester",
            namespace=stranger,
            api_version=rbac,
            roleRef={"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "tester"},
            subjects=[{"kind": "ServiceAccount", "name": "tester", "namespace": stranger}],
        ),
        an_object("ConfigMap", "ours", namespace=stranger, labels=labels_of(run_id)),
    )
    user = f"system:serviceaccount:{stranger}:tester"
    rc, answer = module(namespaces=[stranger], impersonate_user=user)
    assert rc == 0, answer
    assert answer["objects"] == {"ConfigMap": {"found": 1, "deleted": 1}}
    assert "jobs.batch" in answer["unlisted"]
    assert "forbidden" in answer["unlisted"]["jobs.batch"]
    assert names("configmaps", "-n", stranger) == {"settings", "kube-root-ca.crt"}

    rc, answer = module(impersonate_user=user)
    assert rc != 0
    assert "namespaces is forbidden" in answer["msg"]


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ((), "run_id: none is given; name one"),
        (
            ("run_id=x", "cleanup_timout=3"),
            "cleanup_timout: no role of kubestress.core has such a variable",
        ),
        (("run_id=x", "cleanup_timeout=-1"), "cleanup_timeout: -1 is not allowed; it must be 1 to 604,800"),
        (("run_id=x", "cleanup_timeout=soon"), "cleanup_timeout: 'soon' is not a whole number, 1 to 604,800"),
        (("run_id=a/b",), "run_id: 'a/b' is not allowed; letters, digits"),
        (("run_id=x", "kubestress_kubeconfig=/nowhere"), "kubeconfig: no file at /nowhere"),
        (("run_id=x", "kubestress_host=https://127.0.0.1:1"), "the API server cannot be reached"),
    ],
)
def test_bad_input_is_one_clear_line(cluster_free_playbook: Any, given: tuple[str, ...], told: str) -> None:
    arguments = [word for each in given for word in ("-e", each)]
    done = cluster_free_playbook(PLAYBOOK, *arguments)
    assert done.rc != 0
    assert told in done.output


def test_async_works(tmp_path: Path, ansible_playbook: Any, create: Any, names: Any, base: str, run_id: str) -> None:
    create(an_object("Namespace", base, labels=labels_of(run_id)))
    task = {"kubestress.core.cleanup": {"run_id": run_id}, "async": PATIENCE_SECONDS, "poll": 1}
    play = {"hosts": "localhost", "connection": "local", "gather_facts": False, "tasks": [task]}
    play["vars"] = {"ansible_python_interpreter": "{{ ansible_playbook_python }}", "ansible_async_dir": str(tmp_path)}
    book = tmp_path / "async.yml"
    book.write_text(yaml.safe_dump([play]))
    done = ansible_playbook(book)
    assert done.rc == 0, done.output
    assert base not in names("namespaces")
