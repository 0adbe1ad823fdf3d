# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Address, credentials and TLS settings of an API server, from module options, a kubeconfig or a service account.

`kubernetes.aio` reads kubeconfigs, exec plug-ins, tokens and in-cluster credentials, in a child process because the
library takes memory that would stay. The result is a plain `Connection` for our own aiohttp session.
"""

from __future__ import annotations

import asyncio
import os
import ssl
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from ..libraries import KUBERNETES, MissingLibrary
from ..machine.interpreter import import_without_parents
from .child import run_in_child
from .errors import ConfigurationError

#: Option name -> environment variable, as in kubernetes.core. The modules' specs and the documentation follow it.
AUTH_ENVIRONMENT: dict[str, str] = {
    "kubeconfig": "K8S_AUTH_KUBECONFIG",
    "context": "K8S_AUTH_CONTEXT",
    "host": "K8S_AUTH_HOST",
    "api_key": "K8S_AUTH_API_KEY",
    "username": "K8S_AUTH_USERNAME",
    "password": "K8S_AUTH_PASSWORD",
    "client_cert": "K8S_AUTH_CERT_FILE",
    "client_key": "K8S_AUTH_KEY_FILE",
    "ca_cert": "K8S_AUTH_SSL_CA_CERT",
    "validate_certs": "K8S_AUTH_VERIFY_SSL",
    "proxy": "K8S_AUTH_PROXY",
    "proxy_headers": "K8S_AUTH_PROXY_HEADERS",
    "no_proxy": "K8S_AUTH_NO_PROXY",
    "impersonate_user": "K8S_AUTH_IMPERSONATE_USER",
    "impersonate_groups": "K8S_AUTH_IMPERSONATE_GROUPS",
}


@dataclass(frozen=True, kw_only=True)
class Connection:
    """How to reach one API server.

    `host` is a URL without a trailing slash. `headers` are (name, value) pairs sent with every request (authorization,
    impersonation); a name may occur more than once.
    """

    host: str
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    ssl_context: ssl.SSLContext | None = None
    server_hostname: str | None = None
    proxy: str | None = None
    proxy_headers: dict[str, str] | None = field(default=None, repr=False)


async def open_connection(options: dict[str, Any]) -> Connection:
    """Resolve module options (names of AUTH_ENVIRONMENT) to a Connection.

    Order: the options of the task, then kubeconfig (option, K8S_AUTH_KUBECONFIG, KUBECONFIG, ~/.kube/config), then
    the service account of the pod. Raises ConfigurationError naming the wrong option.
    """
    options = {name: value for name, value in options.items() if value not in (None, "", [])}
    found: dict[str, Any] = {}
    if "host" not in options or "kubeconfig" in options or "context" in options:
        found = await run_in_child(
            partial(resolve, {name: options[name] for name in ("kubeconfig", "context") if name in options})
        )
    _apply_options(found, options)
    host = found.get("host")
    if not host:
        raise ConfigurationError("no API server: set kubeconfig or host, or run inside a cluster")
    return Connection(
        host=host.rstrip("/"),
        headers=_headers(found, options),
        ssl_context=ssl_context(found) if host.startswith("https") else None,
        server_hostname=found.get("server_hostname"),
        proxy=None if _bypasses_proxy(host, options) else found.get("proxy"),
        proxy_headers=_proxy_headers(options.get("proxy_headers")),
    )


def _proxy_headers(given: Any) -> dict[str, str] | None:
    """The headers out of a dictionary or its text. Raises ConfigurationError, without the value: it may be a secret."""
    from ansible.module_utils.common.validation import check_type_dict

    if given is None:
        return None
    try:
        headers = check_type_dict(given)
    except TypeError:
        headers = None
    if not isinstance(headers, dict):
        raise ConfigurationError("proxy_headers: a dictionary is needed, or its text: JSON, or name=value by comma")
    return {str(name): str(value) for name, value in headers.items()}


def resolve(options: dict[str, Any]) -> dict[str, Any]:
    """Host, authorization, certificates and proxy for the module options `kubeconfig` and `context`.

    Certificates that the library wrote to the temporary folder are returned as text (`ca_pem`, `cert_pem`, `key_pem`),
    the user's own files as paths (`ca_file` …). Order: the options, then KUBECONFIG and ~/.kube/config, then the
    service account of the pod. Raises ConfigurationError.
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
        config, configurations = import_without_parents(
            ["kubernetes.aio.config", "kubernetes.aio.client.configuration"],
            parents=["kubernetes", "kubernetes.aio"],
            # The client of typed models, with pydantic and dateutil, takes two thirds of the import's time.
            stubs={"kubernetes.aio.client.api_client": "ApiClient"},
        )
    except ImportError as error:
        raise ConfigurationError(str(MissingLibrary([KUBERNETES], error))) from error
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
    except Exception as error:  # the loader passes on whatever its parsers raise
        raise ConfigurationError(_explain(error, kubeconfig, options)) from error
    return configuration


def kubeconfig_paths(given: str | None = None) -> list[str]:
    """The paths of the kubeconfigs that count: those of the option `given`, else of KUBECONFIG, else the default's."""
    text = given or os.environ.get("KUBECONFIG") or "~/.kube/config"
    return [os.path.expanduser(path) for path in text.split(os.pathsep) if path]


def _default_kubeconfig_exists() -> bool:
    return any(os.path.isfile(path) for path in kubeconfig_paths())


def _explain(error: Exception, kubeconfig: Any, options: dict[str, Any]) -> str:
    text = str(error).splitlines()[0] if str(error) else type(error).__name__
    if isinstance(kubeconfig, str):
        missing = [path for path in kubeconfig.split(os.pathsep) if not os.path.isfile(path)]
        if missing:
            named = os.environ.get(AUTH_ENVIRONMENT["kubeconfig"]) == options["kubeconfig"]
            return f"{AUTH_ENVIRONMENT['kubeconfig'] if named else 'kubeconfig'}: no file at {missing[0]}"
        context = f" with context {options['context']!r}" if "context" in options else ""
        return f"kubeconfig {kubeconfig}{context} cannot be used: {text}"
    if kubeconfig is None and not _default_kubeconfig_exists():
        if os.environ.get("KUBECONFIG"):
            return f"KUBECONFIG: no file at {', '.join(kubeconfig_paths())}"
        return (
            "no API server is given: set kubeconfig (K8S_AUTH_KUBECONFIG or KUBECONFIG), or host and api_key; "
            f"~/.kube/config does not exist and this is not a pod ({text})"
        )
    return f"the kubeconfig cannot be used: {text}"


def _apply_options(found: dict[str, Any], options: dict[str, Any]) -> None:
    """The task's options override what the kubeconfig says."""
    for option in ("host", "proxy"):
        if option in options:
            found[option] = options[option]
    for option, name in (("ca_cert", "ca"), ("client_cert", "cert"), ("client_key", "key")):
        if option in options:
            path = os.path.expanduser(options[option])
            if not os.path.isfile(path):
                raise ConfigurationError(f"{option}: no file at {path}")
            found.pop(f"{name}_pem", None)
            found[f"{name}_file"] = path
    if "validate_certs" in options:
        found["verify"] = options["validate_certs"]
    if "api_key" in options:
        found["authorization"] = f"Bearer {options['api_key']}"
    if ("username" in options) != ("password" in options):
        raise ConfigurationError("username and password: give both or neither")
    if "username" in options:
        import base64

        pair = f"{options['username']}:{options['password']}".encode()
        found["authorization"] = "Basic " + base64.b64encode(pair).decode()


def _headers(found: dict[str, Any], options: dict[str, Any]) -> tuple[tuple[str, str], ...]:
    headers = [("User-Agent", "kubestress.core")]
    if found.get("authorization"):
        headers.append(("Authorization", found["authorization"]))
    if "impersonate_user" in options:
        headers.append(("Impersonate-User", options["impersonate_user"]))
    headers += [("Impersonate-Group", group) for group in options.get("impersonate_groups", [])]
    return tuple(headers)


def ssl_context(found: Mapping[str, Any]) -> ssl.SSLContext:
    """A context from `ca_file` or `ca_pem`, `cert_…` and `key_…`, and `verify`. Raises ConfigurationError."""
    # Python accepts ASCII only, but the comments in a CA bundle may be in any language.
    ca_pem = (found.get("ca_pem") or "").encode("ascii", "ignore").decode() or None
    try:
        context = ssl.create_default_context(cafile=found.get("ca_file"), cadata=ca_pem)
        _load_client_certificate(context, found)
    except (OSError, ssl.SSLError) as error:
        raise ConfigurationError(f"certificates: {error}") from error
    # Many clusters have CAs that break RFC 5280. Python 3.13 refuses them by default; Go clients accept them.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    if not found.get("verify", True):
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _load_client_certificate(context: ssl.SSLContext, found: Mapping[str, Any]) -> None:
    """Python reads certificate and key only from files, so those in a kubeconfig are written to temporary ones."""
    with tempfile.TemporaryDirectory(prefix="kubestress-") as folder:
        paths: dict[str, str | None] = {name: found.get(f"{name}_file") for name in ("cert", "key")}
        for name in paths:
            if found.get(f"{name}_pem"):
                paths[name] = path = os.path.join(folder, name)
                with open(path, "w", encoding="utf-8") as file:
                    file.write(found[f"{name}_pem"])
        if paths["cert"]:
            context.load_cert_chain(paths["cert"], keyfile=paths["key"])


def _bypasses_proxy(host: str, options: dict[str, Any]) -> bool:
    from urllib.parse import urlsplit

    name = urlsplit(host).hostname or ""
    patterns = [part.strip().lstrip(".") for part in str(options.get("no_proxy", "")).split(",") if part.strip()]
    return any(pattern == "*" or name == pattern or name.endswith("." + pattern) for pattern in patterns)
