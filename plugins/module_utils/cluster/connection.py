# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the API server is and how to prove who we are.

`kubernetes.aio` reads kubeconfig, exec plug-ins, tokens and in-cluster credentials; what it finds is turned into a
plain `Connection`, because requests go over our own aiohttp session.
"""

from __future__ import annotations

import os
import ssl
from dataclasses import dataclass, field
from typing import Any

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
    """One way to one API server.

    `host` is a URL without a trailing slash. `headers` are name and value pairs that go with every
    request (authorization, impersonation); a name may come twice.
    """

    host: str
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    ssl_context: ssl.SSLContext | None = None
    server_hostname: str | None = None
    proxy: str | None = None
    proxy_headers: dict[str, str] | None = None


async def open_connection(options: dict[str, Any]) -> Connection:
    """Resolve module options (names of AUTH_ENVIRONMENT) to a Connection.

    Order: the options of the task, then kubeconfig (option, K8S_AUTH_KUBECONFIG, KUBECONFIG, ~/.kube/config), then
    the service account of the pod that we run in. Raises ConfigurationError naming the option at fault.
    """
    options = {name: value for name, value in options.items() if value not in (None, "", [])}
    configuration = await _loaded_configuration(options)
    _apply_options(configuration, options)
    if not configuration.host:
        raise ConfigurationError("no API server: set kubeconfig or host, or run inside a cluster")
    return Connection(
        host=configuration.host.rstrip("/"),
        headers=_headers(configuration, options),
        ssl_context=_ssl_context(configuration) if configuration.host.startswith("https") else None,
        server_hostname=configuration.tls_server_name or None,
        proxy=None if _bypasses_proxy(configuration.host, options) else configuration.proxy,
        proxy_headers=options.get("proxy_headers"),
    )


async def _loaded_configuration(options: dict[str, Any]) -> Any:
    try:
        from kubernetes.aio import config
        from kubernetes.aio.client.configuration import Configuration
    except ImportError as error:
        raise ConfigurationError(
            f"the Python library kubernetes (36 or newer, with kubernetes.aio) is needed by the Python that runs this "
            f"module: {error}"
        ) from error
    configuration = Configuration()
    if "host" in options and "kubeconfig" not in options and "context" not in options:
        return configuration
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


def _apply_options(configuration: Any, options: dict[str, Any]) -> None:
    for option, attribute in (("host", "host"), ("proxy", "proxy")):
        if option in options:
            setattr(configuration, attribute, options[option])
    for option, attribute in (("ca_cert", "ssl_ca_cert"), ("client_cert", "cert_file"), ("client_key", "key_file")):
        if option in options:
            path = os.path.expanduser(options[option])
            if not os.path.isfile(path):
                raise ConfigurationError(f"{option}: no file at {path}")
            setattr(configuration, attribute, path)
    if "validate_certs" in options:
        configuration.verify_ssl = options["validate_certs"]
    if "api_key" in options:
        configuration.api_key["BearerToken"] = f"Bearer {options['api_key']}"
    if ("username" in options) != ("password" in options):
        raise ConfigurationError("username and password: give both or neither")
    if "username" in options:
        import base64

        pair = f"{options['username']}:{options['password']}".encode()
        configuration.api_key["BearerToken"] = "Basic " + base64.b64encode(pair).decode()


def _headers(configuration: Any, options: dict[str, Any]) -> tuple[tuple[str, str], ...]:
    headers = [("User-Agent", "kubestress.core")]
    token = configuration.api_key.get("BearerToken")
    if token:
        headers.append(("Authorization", token))
    if "impersonate_user" in options:
        headers.append(("Impersonate-User", options["impersonate_user"]))
    headers += [("Impersonate-Group", group) for group in options.get("impersonate_groups", [])]
    return tuple(headers)


def _ssl_context(configuration: Any) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(
            cafile=configuration.ssl_ca_cert, cadata=getattr(configuration, "ca_cert_data", None)
        )
        if configuration.cert_file:
            context.load_cert_chain(configuration.cert_file, keyfile=configuration.key_file)
    except (OSError, ssl.SSLError) as error:
        raise ConfigurationError(f"certificates: {error}") from error
    # Many clusters' own CAs leave out what RFC 5280 wants and Python 3.13 began to enforce; Go clients accept them.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    if not configuration.verify_ssl:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _bypasses_proxy(host: str, options: dict[str, Any]) -> bool:
    from urllib.parse import urlsplit

    name = urlsplit(host).hostname or ""
    patterns = [part.strip().lstrip(".") for part in str(options.get("no_proxy", "")).split(",") if part.strip()]
    return any(pattern == "*" or name == pattern or name.endswith("." + pattern) for pattern in patterns)
