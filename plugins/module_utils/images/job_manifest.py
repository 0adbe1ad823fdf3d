# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Job of the builder `job`: BuildKit without root runs the Dockerfile in a pod; pure."""

from __future__ import annotations

from typing import Any

from ..cluster.labels import LABEL_MANAGED_BY, LABEL_ROLE, MANAGED_BY
from .context import WORKDIR
from .request import Request

BUILDKIT_IMAGE = "docker.io/moby/buildkit:rootless"
CARRIER_IMAGE = "docker.io/library/busybox:stable"
BUILD = "build"
_CONTEXT, _STATE, _LOGINS = "/context", "/home/user/.local/share/buildkit", "/home/user/.docker"
#: The user of BuildKit's rootless image.
_USER = 1000


def labels() -> dict[str, str]:
    """The labels of the Job and its pod."""
    return {LABEL_MANAGED_BY: MANAGED_BY, LABEL_ROLE: "image"}


def job(
    request: Request, *, name: str, namespace: str, carrier: str, buildkit: str, secret: str, timeout_seconds: int
) -> dict[str, Any]:
    """The Job. `carrier` is the image whose WORKDIR has the context; `secret` has the logins, empty for none."""
    mounts: list[dict[str, Any]] = [{"name": "context", "mountPath": _CONTEXT}]
    volumes: list[dict[str, Any]] = [{"name": "context", "emptyDir": {}}, {"name": "state", "emptyDir": {}}]
    building = [*mounts, {"name": "state", "mountPath": _STATE}]
    if secret:
        items = [{"key": ".dockerconfigjson", "path": "config.json"}]
        volumes.append({"name": "logins", "secret": {"secretName": secret, "items": items}})
        building.append({"name": "logins", "mountPath": _LOGINS, "readOnly": True})
    user = {"runAsUser": _USER, "runAsGroup": _USER}
    containers = [
        {
            "name": BUILD,
            "image": buildkit,
            "command": ["buildctl-daemonless.sh"],
            "args": _arguments(request),
            # Without it, it wants a sandbox of its own for processes, which needs rights that a pod does not have.
            "env": [{"name": "BUILDKITD_FLAGS", "value": "--oci-worker-no-process-sandbox"}],
            # User namespaces need system calls that the runtime's own profile refuses.
            "securityContext": {**user, "seccompProfile": {"type": "Unconfined"}},
            "volumeMounts": building,
        }
    ]
    unpack = {
        "name": "context",
        "image": carrier,
        "command": ["cp", "-R", f"{WORKDIR}/.", f"{_CONTEXT}/"],
        "securityContext": {**user, "allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
        "volumeMounts": mounts,
    }
    spec: dict[str, Any] = {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "securityContext": {"fsGroup": _USER},
        "initContainers": [unpack],
        "containers": containers,
        "volumes": volumes,
    }
    if secret:
        spec["imagePullSecrets"] = [{"name": secret}]
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name, "namespace": namespace, "labels": labels()},
        "spec": {
            "backoffLimit": 0,
            "activeDeadlineSeconds": timeout_seconds,
            # Where we could not remove it.
            "ttlSecondsAfterFinished": 3600,
            "template": {"metadata": {"labels": labels()}, "spec": spec},
        },
    }


def _arguments(request: Request) -> list[str]:
    output = f"type=image,name={request.image},push=true" + (",registry.insecure=true" if request.insecure else "")
    return [
        "build",
        "--frontend=dockerfile.v0",
        f"--local=context={_CONTEXT}",
        f"--local=dockerfile={_CONTEXT}",
        f"--opt=filename={request.dockerfile}",
        f"--opt=platform={request.platform}",
        # One image and no list with an attestation, so that the name has the image's own digest.
        "--opt=attest:provenance=disabled=true",
        f"--output={output}",
        "--progress=plain",
    ]
