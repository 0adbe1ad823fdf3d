# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Controllers of jobs: JobSet and Kueue, each a process with webhooks that the API server calls at its address.

What they may do and which webhooks they serve is in `roles/local_cluster/files/controllers`, from their projects.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from .api import Api
from .installing import Wanted, an_object, describe, install, missing, role_of
from .layout import Layout
from .parts import Inside, Part
from .pki import Pki
from .settings import Settings, span
from .simulated import CLIENT_BURST, CLIENT_QPS, part_kubeconfig

WEBHOOK_KINDS = ("MutatingWebhookConfiguration", "ValidatingWebhookConfiguration")
_ADMISSION = "admissionregistration.k8s.io/v1"
_CONFIG_VERSIONS = {"jobset": "config.jobset.x-k8s.io/v1alpha1", "kueue": "config.kueue.x-k8s.io/v1beta2"}
#: Kueue only: what needs files of a container's own or serves what this cluster does not have.
_KUEUE_CONFIG = """\
integrations:
  frameworks: [batch/job, jobset.x-k8s.io/jobset]
featureGates:
  KueueDRAIntegration: false
  KueueDRAIntegrationExtendedResource: false
  KueueDRAIntegrationPartitionableDevices: false
  VisibilityOnDemand: false
"""


def user_of(name: str) -> str:
    """The user of a controller at the API server; bound to a role of ours with its project's rules."""
    return f"kubestress-{name}"


def controller_parts(
    settings: Settings, layout: Layout, pki: Pki, programs: Mapping[str, Path], *, prepare: Callable[[str], object]
) -> list[Part]:
    """The parts that the settings ask for.

    :param prepare: called with a part's name before its start; creates what it expects in the cluster.
    """
    return [_part(name, settings, layout, pki, programs[name], prepare) for name in settings.controllers]


def _part(
    name: str, settings: Settings, layout: Layout, pki: Pki, program: Path, prepare: Callable[[str], object]
) -> Part:
    ports = span(f"{name}_port", getattr(settings, f"{name}_port"))
    webhooks, health = ports.values()
    config = layout.config / f"{name}.yaml"

    def before() -> None:
        _serve_with(pki)
        prepare(name)

    return Part(
        name=name,
        # As JSON, whose errors the log's reader knows.
        command=(
            str(program),
            f"--config={config}",
            f"--kubeconfig={part_kubeconfig(pki, name)}",
            "--zap-devel=false",
        ),
        files={config: _config(name, settings.address, webhooks, health, certificates(pki))},
        ready_url=f"http://{settings.address}:{health}/readyz",
        ports=ports,
        # Kueue looks once for the kinds that it queues, and then waits longer and longer.
        after=("kube-apiserver", *(("jobset",) if name == "kueue" and settings.jobset else ())),
        server=settings.endpoint,
        inside=Inside.NETWORK if settings.real_node else None,
        replaceable=True,
        before=before,
    )


def certificates(pki: Pki) -> Path:
    """The folder with the serving certificate by the names that the controllers expect."""
    return pki.folder / "webhooks"


def _serve_with(pki: Pki) -> None:
    folder = certificates(pki)
    folder.mkdir(exist_ok=True, mode=0o700)
    for name, target in (("tls.crt", pki.server_certificate), ("tls.key", pki.server_key)):
        link = folder / name
        link.unlink(missing_ok=True)
        link.symlink_to(target)


def _config(name: str, address: str, webhooks: int, health: int, folder: Path) -> str:
    """Without metrics, which nobody reads here. Its rate limits are those of the control plane's other clients."""
    return f"""\
apiVersion: {_CONFIG_VERSIONS[name]}
kind: Configuration
leaderElection:
  leaderElect: false
internalCertManagement:
  enable: false
webhook:
  host: {address}
  port: {webhooks}
  certDir: {folder}
metrics:
  bindAddress: "0"
health:
  healthProbeBindAddress: {address}:{health}
clientConnection:
  qps: {CLIENT_QPS}
  burst: {CLIENT_BURST}
{_KUEUE_CONFIG if name == "kueue" else ""}"""


class ControllerObjects:
    """What the controllers expect in the cluster. `files` is the folder of the role with `crds` and `controllers`."""

    def __init__(self, api: Api, settings: Settings, pki: Pki) -> None:
        self._api = api
        self._settings = settings
        self._pki = pki
        self._files = settings.sources_dir

    def prepare(self, name: str) -> list[str]:
        """Create what is missing for one, and return it in words. Webhooks of another address are replaced."""
        stale = self._stale(name)
        for path in stale:
            self._api.delete(path)
        return install(
            self._api, self._definitions(name), self._objects(name), timeout_seconds=self._settings.ready_timeout
        )

    def missing(self, name: str) -> list[str]:
        """What `prepare` would create, in words."""
        return describe(missing(self._api, self._definitions(name), self._objects(name)))

    def unwanted(self, names: Sequence[str]) -> list[str]:
        """The paths of the webhooks of controllers that the cluster does not have; they would refuse every job."""
        paths = [_path(kind, user_of(name)) for name in names for kind in WEBHOOK_KINDS]
        return [path for path in paths if self._api.get(path) is not None]

    def remove(self, paths: Sequence[str]) -> None:
        """Delete webhooks."""
        for path in paths:
            self._api.delete(path)

    def _definitions(self, name: str) -> Path:
        return self._files / "crds" / name

    def _objects(self, name: str) -> list[Wanted]:
        given = json.loads((self._files / "controllers" / f"{name}.json").read_text())
        webhooks = [(kind, [self._webhook(name, one) for one in given[kind]]) for kind in WEBHOOK_KINDS]
        return [
            *role_of(user_of(name), given["rules"]),
            *((_path(kind), an_object(_ADMISSION, kind, user_of(name), webhooks=all_)) for kind, all_ in webhooks),
        ]

    def _webhook(self, name: str, given: Mapping[str, Any]) -> dict[str, Any]:
        port = getattr(self._settings, f"{name}_port")
        authority = base64.b64encode(self._pki.ca_certificate.read_bytes()).decode()
        client = {"url": f"https://{self._settings.address}:{port}{given['path']}", "caBundle": authority}
        return {**{key: value for key, value in given.items() if key != "path"}, "clientConfig": client}

    def _stale(self, name: str) -> list[str]:
        """The paths of webhooks with another address or authority, such as after a change of ports."""
        found = []
        for path, one in self._objects(name):
            if one["kind"] in WEBHOOK_KINDS:
                mine = f"{path}/{one['metadata']['name']}"
                there = self._api.get(mine)
                clients = [[hook["clientConfig"] for hook in made["webhooks"]] for made in (there, one) if made]
                if there is not None and clients[0] != clients[1]:
                    found.append(mine)
        return found


def _path(kind: str, name: str = "") -> str:
    collection = f"/apis/{_ADMISSION}/{kind.lower()}s"
    return f"{collection}/{name}" if name else collection
