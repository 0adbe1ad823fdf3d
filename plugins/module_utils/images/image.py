# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module `image`: check the options, look through the context, build, say what came of it."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ansible.module_utils.parsing.convert_bool import boolean

from ..cluster.connection import AUTH_ENVIRONMENT
from ..errors import ModuleFailed
from ..gcp.credentials import credentials
from ..gcp.errors import GcpError
from ..gcp.session import Session, endpoint
from ..libraries import CLUSTER, GOOGLE, check_libraries
from ..local_cluster.binaries import find_binaries, provide_binaries
from ..local_cluster.build import GoBuilder
from ..local_cluster.errors import LocalClusterError
from ..local_cluster.settings import default_cache_dir
from ..machine.interruptions import raise_on_signals
from ..syntax import DNS_LABEL_RULE, is_dns_label
from .buildah import Buildah, find_buildah
from .cloud_build import CLOUD_BUILD_URL, STORAGE_URL, CloudBuild, places
from .context import WORKDIR, Context, read_context
from .crane import Crane
from .errors import BadOption, BuildFailed, ImageError
from .ignore import is_always_left_out
from .job import JobBuilder, JobOptions
from .layers import Layers
from .log import Interrupted, Log
from .login import is_googles, logged_in
from .names import image_name, parsed, project_id
from .request import (
    BUILDAH,
    BUILDERS,
    CLOUD_BUILD,
    DEFAULT_PLATFORM,
    JOB,
    LAYERS,
    PLANNED,
    Built,
    Request,
    checked_dockerfile,
    checked_platform,
)

#: As many skipped files are named in a warning.
_NAMED = 5
_SHORTEST, _LONGEST = 60, 86_400
_NOTHING_DONE: dict[str, Any] = {"log_file": None, "seconds": 0.0}
#: Why nobody knows the digest of what a builder would push.
_UNFORESEEN = {
    CLOUD_BUILD: "each build is a new one, and its digest is known after it",
    BUILDAH: "whether its digest would differ is not known before the Dockerfile is run",
    JOB: "whether its digest would differ is not known before the Dockerfile is run",
}


@dataclass
class Outcome:
    """What the module returns, and what it warns of."""

    result: dict[str, Any]
    warnings: list[str] = field(default_factory=list)


def run_module(params: Mapping[str, Any], *, check_mode: bool, environ: Mapping[str, str] | None = None) -> Outcome:
    """Run the module. Raises ModuleFailed: bad input, a build that failed, a play that was interrupted."""
    environ = os.environ if environ is None else environ
    try:
        if params["builder"] == CLOUD_BUILD:
            check_libraries(*GOOGLE)
        request = read_request(params, environ)
    except (ImageError, GcpError) as error:
        raise ModuleFailed(f"image: {error}") from error
    except OSError as error:
        # Such as a folder of which nobody may know whether it is there.
        raise ModuleFailed(f"image: {error.filename} cannot be read: {error.strerror or error}") from error
    result = {"changed": True, "image": str(request.image), "builder": params["builder"], **_figures(request.context)}
    outcome = Outcome(result, _warnings(request.context))
    if params["state"] == PLANNED:
        outcome.result |= {"changed": False, **_unforeseen(params, request, "its digest is known once it is built")}
        return outcome
    if check_mode:
        outcome.result |= _foreseen(params, request, environ)
        return outcome
    with Log(_log_file(params), _path(params, "progress_file")) as log:
        result["log_file"] = str(log.path)
        try:
            with raise_on_signals(Interrupted):
                built = _run(params, request, log, environ)
        except (ImageError, GcpError, LocalClusterError, OSError) as error:
            text = log.hidden(str(error))
            # Where something was hidden, a traceback must not show it either.
            cause = error if text == str(error) else None
            raise ModuleFailed(f"image: {text}; {_seen(log)}", result | {"changed": False}) from cause
        except Interrupted as error:
            raise ModuleFailed(f"image: {error}; {_seen(log)}", result | {"changed": False}) from error
        outcome.result |= _built(request, built, log)
    return outcome


def _foreseen(params: Mapping[str, Any], request: Request, environ: Mapping[str, str]) -> dict[str, Any]:
    """What the module would return. Registries are only read. Raises ModuleFailed for bad input."""
    why = _UNFORESEEN.get(params["builder"], "")
    if not why:
        try:
            with tempfile.TemporaryDirectory(prefix="kubestress-image-") as made, Log(Path(made) / "log", None) as log:
                with raise_on_signals(Interrupted), _login(params, request, log, environ) as environment:
                    built = Layers(_crane(params, request, log, environment, may_build=False)).foresee(request, log)
                return {**_built(request, built, log, done="would be pushed"), **_NOTHING_DONE}
        except (BadOption, Interrupted) as error:
            raise ModuleFailed(f"image: {error}") from error
        except (ImageError, GcpError, LocalClusterError, OSError) as error:
            # Such as a registry that an earlier task of the play would have started.
            why = f"whether its digest would differ is not known: {error}"
    return _unforeseen(params, request, why)


def _unforeseen(params: Mapping[str, Any], request: Request, why: str) -> dict[str, Any]:
    """What is returned of an image whose digest nobody knows."""
    msg = f"would build {request.image} with {params['builder']}: {_contents(request)}; {why}"
    return {**_NOTHING_DONE, "digest": None, "reference": None, "msg": msg}


def read_request(params: Mapping[str, Any], environ: Mapping[str, str]) -> Request:
    """What is to be built. Raises ImageError and GcpError; nothing was built or sent."""
    builder = params["builder"]
    if not _SHORTEST <= params["timeout"] <= _LONGEST:
        raise BadOption("timeout", f"{params['timeout']}; allowed are {_SHORTEST} to {_LONGEST:,} seconds")
    names = {key: params[key] for key in ("project", "region", "repository", "tag")}
    image = parsed(image_name(params["name"], **names))
    if image.digest:
        raise BadOption("name", f"{str(image)!r} has a digest, which a build only finds out; give a tag")
    if not params["context"].strip():
        raise BadOption("context", "empty; name the folder whose files go into the image")
    if params["binaries_dir"] and not Path(params["binaries_dir"]).is_dir():
        raise BadOption("binaries_dir", f"there is no folder {params['binaries_dir']}")
    folder = Path(params["context"])
    _check_log_file(_path(params, "log_file"), folder)
    base, dockerfile = str(params["base"] or "").strip(), str(params["dockerfile"] or "").strip()
    platform = checked_platform(params["platform"])
    if builder == LAYERS:
        if dockerfile:
            others = ", ".join(name for name in BUILDERS if name != LAYERS)
            raise BadOption("dockerfile", f"{dockerfile}, but builder={LAYERS} runs none; use base, or one of {others}")
        if base:
            parsed(base, option="base")
        context = read_context(folder)
    else:
        if base:
            raise BadOption("base", f"{base}, but builder={builder} runs a Dockerfile, whose FROM says it")
        if not folder.is_dir():
            raise BadOption("context", f"there is no folder {folder}")
        if builder == CLOUD_BUILD:
            _check_cloud_build(params, platform)
        elif builder == BUILDAH:
            find_buildah(_path(params, "binaries_dir"), environ)
        else:
            check_libraries(*CLUSTER)
            _job_options(params)
        dockerfile = checked_dockerfile(folder, dockerfile)
        context = read_context(folder, keep=[dockerfile])
    return Request(
        image=image,
        context=context,
        platform=platform,
        base=base,
        dockerfile=dockerfile,
        insecure=bool(params["registry_insecure"]),
    )


def _check_log_file(log_file: Path | None, context: Path) -> None:
    """Refuse one that would become part of the next image, and change while it is read. Raises BadOption."""
    if log_file is None:
        return
    path = os.path.relpath(os.path.realpath(log_file), os.path.realpath(context))
    if path.startswith(os.pardir) or is_always_left_out(path, is_folder=False):
        return
    raise BadOption("log_file", f"{log_file} is in the context; allowed is a file elsewhere, or one called *.log")


def _check_cloud_build(params: Mapping[str, Any], platform: str) -> None:
    """Refuse what would only come out after the upload. Raises BadOption, GcpError and MissingLibrary."""
    if platform != DEFAULT_PLATFORM:
        raise BadOption("platform", f"{platform}, but builder={CLOUD_BUILD} builds for {DEFAULT_PLATFORM}")
    _project(params)
    places(params["cloud_build"] or {})
    for option, default in (("storage", STORAGE_URL), ("cloud_build", CLOUD_BUILD_URL), ("token", STORAGE_URL)):
        endpoint(_endpoints(params).get(option), option=option, default=default)


def _run(params: Mapping[str, Any], request: Request, log: Log, environ: Mapping[str, str]) -> Built:
    """Build with the builder that is wanted. Raises ImageError, GcpError, LocalClusterError and Interrupted."""
    if params["builder"] == CLOUD_BUILD:
        with _session(params, log, environ) as session:
            return _cloud_build(params, session).build(request, log)
    with _login(params, request, log, environ) as environment:
        crane = _crane(params, request, log, environment)
        if params["builder"] == BUILDAH:
            program = find_buildah(_path(params, "binaries_dir"), environ)
            builder = Buildah(program, crane, environment=environment, timeout_seconds=params["timeout"])
            return builder.build(request, log)
        if params["builder"] == JOB:
            return JobBuilder(crane, _job_options(params), _connection(params, environ)).build(request, log)
        return Layers(crane).build(request, log)


def _job_options(params: Mapping[str, Any]) -> JobOptions:
    """Where the Job is to be. Raises BadOption."""
    given = params["job"] or {}
    namespace, secret = ((given.get(key) or "").strip() for key in ("namespace", "secret"))
    for option, value in (("namespace", namespace), ("secret", secret)):
        if value and not is_dns_label(value):
            raise BadOption(f"job.{option}", f"{value!r}; {DNS_LABEL_RULE}")
    images = {key: str(parsed(given[key], option=f"job.{key}")) for key in ("buildkit", "carrier") if given.get(key)}
    return JobOptions(namespace=namespace or "default", secret=secret, timeout_seconds=params["timeout"], **images)


def _connection(params: Mapping[str, Any], environ: Mapping[str, str]) -> dict[str, Any]:
    """The cluster's connection: the options here, else the variables that all modules know."""
    found: dict[str, Any] = {option: environ[name] for option, name in AUTH_ENVIRONMENT.items() if environ.get(name)}
    if "validate_certs" in found:
        found["validate_certs"] = boolean(found["validate_certs"])
    if "impersonate_groups" in found:
        found["impersonate_groups"] = found["impersonate_groups"].split(",")
    given = {key: value for key in ("kubeconfig", "context") if (value := (params["job"] or {}).get(key))}
    return found | given


@contextlib.contextmanager
def _session(params: Mapping[str, Any], log: Log, environ: Mapping[str, str]) -> Iterator[Session]:
    token_url = _endpoints(params).get("token")
    checked = endpoint(token_url, option="token", default="") if token_url else ""
    session = Session(
        credentials(_path(params, "credentials_file"), token_url=checked, environ=environ), on_token=log.hide
    )
    try:
        yield session
    finally:
        session.close()


def _cloud_build(params: Mapping[str, Any], session: Session) -> CloudBuild:
    given = _endpoints(params)
    return CloudBuild(
        session,
        project=_project(params),
        storage_url=endpoint(given.get("storage"), option="storage", default=STORAGE_URL),
        build_url=endpoint(given.get("cloud_build"), option="cloud_build", default=CLOUD_BUILD_URL),
        timeout_seconds=params["timeout"],
        where=places(params["cloud_build"] or {}),
    )


def _endpoints(params: Mapping[str, Any]) -> Mapping[str, Any]:
    return params["endpoints"] or {}


def _project(params: Mapping[str, Any]) -> str:
    return project_id(params["project"], needed_for=f"builder={CLOUD_BUILD} builds in one")


@contextlib.contextmanager
def _login(
    params: Mapping[str, Any], request: Request, log: Log, environ: Mapping[str, str]
) -> Iterator[Mapping[str, str]]:
    """The environment of crane: logged in with credentials_file, if that is given, where Google's registries are."""
    hosts = {
        host for host in (request.image.host, parsed(request.base).host if request.base else "") if is_googles(host)
    }
    if not params["credentials_file"] or not hosts:
        yield environ
        return
    with _session(params, log, environ) as session:
        token, _expires = session.token()
    with tempfile.TemporaryDirectory(prefix="kubestress-login-") as folder:
        yield logged_in(environ, Path(folder), hosts=hosts, token=token)


def _crane(
    params: Mapping[str, Any], request: Request, log: Log, environ: Mapping[str, str], *, may_build: bool = True
) -> Crane:
    """The program, found or built. Raises BuildError, and BuildFailed if it may not be built."""
    cache, sources = _path(params, "cache_dir") or default_cache_dir(environ), _path(params, "sources_dir")
    if sources is None:
        raise BadOption("sources_dir", "missing; where this collection is not, name the role local_cluster's files")
    places: dict[str, Any] = {
        "sources_dir": sources, "cache_dir": cache, "binaries_dir": _path(params, "binaries_dir"),
    }  # fmt: skip
    if may_build:
        builder = GoBuilder(cache_dir=cache, sources_dir=sources, timeout_seconds=params["timeout"])
        found = provide_binaries(["crane"], builder=builder, **places)["crane"]
    elif not (there := find_binaries(["crane"], environ=environ, **places)):
        raise BuildFailed("there is no crane, which would be built first")
    else:
        found = there["crane"]
    log.say(f"crane {found.version} ({found.source})")
    return Crane(found.path, environment=environ, insecure=request.insecure, log=log, timeout_seconds=params["timeout"])


def _built(request: Request, built: Built, log: Log, *, done: str = "pushed") -> dict[str, Any]:
    reference = f"{request.image.repository}@{built.digest}"
    state = done if built.is_new else "unchanged"
    return {
        "changed": built.is_new,
        "digest": built.digest,
        "reference": reference,
        "seconds": round(log.seconds, 1),
        "msg": f"{state}: {request.image} is {reference}",
    }


def _figures(context: Context) -> dict[str, Any]:
    return {"files": context.files, "bytes": context.size_bytes}


def _contents(request: Request) -> str:
    what = request.context.text
    if request.dockerfile:
        return f"{what}, {request.dockerfile}, for {request.platform}"
    return f"{what} in {WORKDIR} on {request.base or 'nothing'}, for {request.platform}"


def _warnings(context: Context) -> list[str]:
    if not context.skipped:
        return []
    named = ", ".join(context.skipped[:_NAMED]) + (", …" if len(context.skipped) > _NAMED else "")
    return [f"left out of the image, because they are sockets, pipes or devices: {named}"]


def _log_file(params: Mapping[str, Any]) -> Path:
    given = _path(params, "log_file")
    if given is None:
        number, name = tempfile.mkstemp(prefix="kubestress-image-", suffix=".log")
        os.close(number)
        return Path(name)
    try:
        given.parent.mkdir(parents=True, exist_ok=True)
        # For the user only: a build may write anything.
        given.touch(mode=0o600)
        given.write_text("")
    except OSError as error:
        raise ModuleFailed(f"image: log_file: {given} cannot be written: {error.strerror or error}") from error
    return given


def _seen(log: Log) -> str:
    return f"the log is {log.path}"


def _path(params: Mapping[str, Any], option: str) -> Path | None:
    return Path(params[option]) if params.get(option) else None
