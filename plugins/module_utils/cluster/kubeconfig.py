# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What kubeconfig, exec plug-ins and in-cluster credentials say, as plain data.

`kubernetes.aio` reads them. Even the part of it that does takes 11 MB, so this runs in a child process (apart.py).
"""

from __future__ import annotations

import asyncio
import os
import tempfile
from typing import Any

from ..light import import_light
from .errors import ConfigurationError


def resolve(options: dict[str, Any]) -> dict[str, Any]:
    """Host, authorization, certificates and proxy for the module options `kubeconfig` and `context`.

    Certificates that the library wrote into the temporary folder are returned as text (`ca_pem`, `cert_pem`,
    `key_pem`), those in files of the user as paths (`ca_file` …). Order: the options, then KUBECONFIG and
    ~/.kube/config, then the service account of the pod that we run in. Raises ConfigurationError.
    """
    configuration = asyncio.run(_loaded(options))
    found = {
        "host": configuration.host,
        "authorization": configuration.api_key.get("BearerToken"),
        "verify": configuration.verify_ssl,
        "server_hostname": configuration.tls_server_name or None,
        "proxy": configuration.proxy,
    }
    for name, path in (
        ("ca", configuration.ssl_ca_cert),
        ("cert", configuration.cert_file),
        ("key", configuration.key_file),
    ):
        found |= _file_or_text(name, path)
    return found


def _file_or_text(name: str, path: str | None) -> dict[str, str]:
    if not path:
        return {}
    if os.path.dirname(path) != tempfile.gettempdir():
        return {f"{name}_file": path}
    with open(path, encoding="utf-8") as file:
        return {f"{name}_pem": file.read()}


async def _loaded(options: dict[str, Any]) -> Any:
    try:
        config, configurations = import_light(
            ["kubernetes.aio.config", "kubernetes.aio.client.configuration"],
            without=["kubernetes", "kubernetes.aio"],
            # Its client of typed models, with pydantic and dateutil: two thirds of this import's time.
            unused={"kubernetes.aio.client.api_client": "ApiClient"},
        )
    except ImportError as error:
        raise ConfigurationError(
            f"the Python library kubernetes (36 or newer, with kubernetes.aio) is needed by the Python that runs this "
            f"module: {error}"
        ) from error
    configuration = configurations.Configuration()
    kubeconfig = options.get("kubeconfig")
    if isinstance(kubeconfig, str):
        kubeconfig = os.pathsep.join(os.path.expanduser(part) for part in kubeconfig.split(os.pathsep))
    try:
        if isinstance(kubeconfig, dict):
            await config.load_kube_config_from_dict(
                kubeconfig, context=options.get("context"), client_configuration=configuration
            )
        elif kubeconfig or _default_kubeconfig_exists():
            await config.load_kube_config(
                config_file=kubeconfig, context=options.get("context"), client_configuration=configuration
            )
        else:
            config.load_incluster_config(client_configuration=configuration)
    except Exception as error:  # the loader raises whatever its parsers raise
        raise ConfigurationError(_explain(error, kubeconfig, options)) from error
    return configuration


def _default_kubeconfig_exists() -> bool:
    candidates = os.environ.get("KUBECONFIG", "~/.kube/config").split(os.pathsep)
    return any(os.path.isfile(os.path.expanduser(path)) for path in candidates if path)


def _explain(error: Exception, kubeconfig: Any, options: dict[str, Any]) -> str:
    text = str(error).splitlines()[0] if str(error) else type(error).__name__
    if isinstance(kubeconfig, str):
        missing = [path for path in kubeconfig.split(os.pathsep) if not os.path.isfile(path)]
        if missing:
            return f"kubeconfig: no file at {missing[0]}"
        context = f" with context {options['context']!r}" if "context" in options else ""
        return f"kubeconfig {kubeconfig}{context} cannot be used: {text}"
    if kubeconfig is None and not _default_kubeconfig_exists():
        return (
            "no API server is named: set kubeconfig (K8S_AUTH_KUBECONFIG or KUBECONFIG), or host and api_key; "
            f"~/.kube/config does not exist and this is not a pod ({text})"
        )
    return f"the kubeconfig cannot be used: {text}"
