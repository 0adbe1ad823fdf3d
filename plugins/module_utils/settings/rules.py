# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What values must be like, alone and together. Pure functions: settings in, one line for each problem out.

A rule looks only at what is there: a setting whose value could not be converted is missing here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from typing import Any

from .. import syntax as names
from .accelerator_rules import accelerator_jobs, image_of_the_jobs
from .convert import shown
from .roles.storage import CLASS_RULE, thresholds_of
from .table import SETTINGS

#: What comes behind it in a run's id, and a number in a namespace's name, must fit into 63 characters.
SEARCH_ID_LENGTH = 40
SEARCH_ID_RULE = (
    f"lower-case letters, digits and hyphens, first and last a letter or digit, at most {SEARCH_ID_LENGTH} characters"
)

Settings = Mapping[str, Any]
Rule = Callable[[Settings], Iterator[str]]

_LISTS_OF_NAMESPACES = (
    "namespaces_names",
    "namespaces_existing",
    "cleanup_namespaces",
    "observe_namespaces",
    "must_gather_namespaces",
    "storage_namespaces",
    "storage_exclude_namespaces",
)
#: A registry with an optional port, a path, and a tag or digest: what no reference can lack or contain.
_IMAGE = re.compile(r"[\w.-]+(:\d+)?(/[\w.-]+)*(:[\w][\w.-]{0,127})?(@\w+:[0-9a-fA-F]{32,})?")


def problems_of(settings: Settings) -> list[str]:
    """The problems of all settings given: numbers out of their range first, then those of all rules."""
    return [line for rule in RULES for line in rule(settings)]


def ranges(settings: Settings) -> Iterator[str]:
    """A number lies in the range that the table allows; what is not set is not checked."""
    for name, value in settings.items():
        allowed = SETTINGS[name].allowed
        if allowed and value is not None and (problem := allowed.problem(name, value)):
            yield problem


def run_id(settings: Settings) -> Iterator[str]:
    """The run id becomes the value of a label and part of names."""
    value = settings.get("run_id")
    if value and not names.is_dns_label(value):
        yield f"run_id: {shown(value)} is not allowed; {names.DNS_LABEL_RULE}"


def search_id(settings: Settings) -> Iterator[str]:
    """The name of a capacity search begins the ids of its runs."""
    value = settings.get("capacity_id")
    if value and (len(value) > SEARCH_ID_LENGTH or not names.is_dns_label(value)):
        yield f"capacity_id: {shown(value)} is not allowed; {SEARCH_ID_RULE}"


def failed_pods_by_cause(settings: Settings) -> Iterator[str]:
    """Each cause has a number."""
    for cause, number in (settings.get("capacity_max_failed_pods_by_cause") or {}).items():
        if isinstance(number, bool) or not re.fullmatch(r"-1|\d+", str(number)):
            yield (
                f"capacity_max_failed_pods_by_cause: {shown(number)} for {cause} is not allowed; a whole number from "
                "0, or -1 for any"
            )


def observation_name(settings: Settings) -> Iterator[str]:
    """The name of an observation becomes part of a file name."""
    value = settings.get("observe_name")
    if value is not None and not names.is_dns_label(value):
        yield f"observe_name: {shown(value)} is not allowed; {names.DNS_LABEL_RULE}"


def namespace_names(settings: Settings) -> Iterator[str]:
    """Prefix and largest index together are a valid name, where names are not listed; no listed one comes twice."""
    listed = settings.get("namespaces_names") or []
    for name in sorted({name for name in listed if listed.count(name) > 1}):
        yield f"namespaces_names: {shown(name)} comes twice; each namespace once"
    prefix, total = settings.get("namespaces_prefix"), settings.get("namespaces_total")
    if listed or prefix is None or total is None:
        return
    last = max(total, 1)
    name = f"{prefix}-{last}"
    if len(name) > names.LABEL_LENGTH:
        longest = names.LABEL_LENGTH - len(f"-{last}")
        yield (
            f"namespaces_prefix: {shown(prefix)} is {len(prefix)} characters long; with the index of the last of "
            f"{total} namespaces, -{last}, at most {longest} are allowed (names of namespaces have at most "
            f"{names.LABEL_LENGTH})"
        )
    elif not names.is_dns_label(name):
        yield (
            f"namespaces_prefix: {shown(prefix)} is not allowed; lower-case letters, digits and hyphens, "
            "first a letter or digit"
        )


def listed_names(settings: Settings) -> Iterator[str]:
    """Names of namespaces and Secrets."""
    for variable in _LISTS_OF_NAMESPACES:
        for name in settings.get(variable) or []:
            if not names.is_dns_label(name):
                yield f"{variable}: {shown(name)} is not the name of a namespace; {names.DNS_LABEL_RULE}"
    for name in settings.get("run_image_pull_secrets") or []:
        if not names.is_dns_subdomain(name):
            yield (
                f"run_image_pull_secrets: {shown(name)} is not the name of a Secret; lower-case letters, digits, "
                "'-' and '.', first and last a letter or digit, at most 253 characters"
            )


def gather(settings: Settings) -> Iterator[str]:
    """A gather is either there or collected, and a file of it is no larger than the whole."""
    path, collect = settings.get("must_gather_path"), settings.get("must_gather_collect")
    if path and collect == "true":
        yield f"must_gather_collect: {collect} is given beside must_gather_path, {shown(path)}; give one of them"
    elif path == "" and collect == "false":
        yield (
            "must_gather_path: none is given; name one, as in -e must_gather_path=…, or leave out "
            "must_gather_collect=false, and one is collected"
        )
    total, file = settings.get("must_gather_max_size"), settings.get("must_gather_max_file_size")
    if total is not None and file is not None and file > total:
        yield (
            f"must_gather_max_file_size: {file} is more than must_gather_max_size, which is {total}; a file cannot be "
            "larger than the gather"
        )


def scan(settings: Settings) -> Iterator[str]:
    """An age has a unit, a namespace is either scanned or left out, and to fail on nothing is to fail on nothing."""
    age = settings.get("storage_min_age")
    if age is not None and names.duration_seconds(age) is None:
        yield f"storage_min_age: {shown(age)} is not allowed; {names.DURATION_RULE}"
    both = {*(settings.get("storage_namespaces") or [])} & {*(settings.get("storage_exclude_namespaces") or [])}
    for name in sorted(both):
        yield f"storage_exclude_namespaces: {shown(name)} is in storage_namespaces, too; name it in one of them"
    for variable in ("storage_storage_classes", "storage_drivers"):
        for name in settings.get(variable) or []:
            if not names.is_dns_subdomain(name.lower()):
                yield f"{variable}: {shown(name)} is not allowed; {CLASS_RULE}"
    try:
        thresholds_of(settings.get("storage_thresholds") or {})
    except ValueError as error:
        yield f"storage_thresholds: {error}"
    fail_on = settings.get("storage_fail_on") or []
    if "none" in fail_on and len({*fail_on}) > 1:
        others = ", ".join(one for one in fail_on if one != "none")
        yield f"storage_fail_on: none is given beside {others}; leave it out"


def rights_account(settings: Settings) -> Iterator[str]:
    """Whom preflight's Roles are for, if it is not the user of the connection."""
    account = settings.get("preflight_rbac_account")
    if account and not names.is_service_account(account):
        yield f"preflight_rbac_account: {shown(account)} is not allowed; {names.SERVICE_ACCOUNT_RULE}"
    elif account and settings.get("preflight_rbac_out") == "":
        yield f"preflight_rbac_account: {shown(account)} has no effect without preflight_rbac_out"


def labels(settings: Settings) -> Iterator[str]:
    """Keys and values of labels; annotations have the same keys and any text."""
    for variable, values_checked in (
        ("run_node_selector", True),
        ("namespaces_labels", True),
        ("namespaces_annotations", False),
    ):
        for key, value in (settings.get(variable) or {}).items():
            if not names.is_label_key(str(key)):
                yield f"{variable}: {shown(str(key))} is not a key; a name, or prefix/name, of {names.LABEL_VALUE_RULE}"
            elif not isinstance(value, str):
                yield f"{variable}: the value of {key}, {shown(value)}, is not text; put it in quotes"
            elif values_checked and not names.is_label_value(value):
                yield f"{variable}: the value of {key}, {shown(value)}, is not allowed; {names.LABEL_VALUE_RULE}"


def images(settings: Settings) -> Iterator[str]:
    """An image is given, in the syntax of image references."""
    for variable, value in settings.items():
        if variable.endswith("_image") and not _IMAGE.fullmatch(str(value)):
            yield f"{variable}: {shown(value)} is not an image; such as registry.example.com:5000/team/image:1.2"


def quantities(settings: Settings) -> Iterator[str]:
    """Sizes are quantities above 0."""
    for variable in ("statefulsets_memory_total", "statefulsets_memory_step"):
        value = settings.get(variable)
        if value is not None and (names.quantity(value) or 0) <= 0:
            yield f"{variable}: {shown(value)} is not allowed; {names.QUANTITY_RULE}, more than 0"


def resources(settings: Settings) -> Iterator[str]:
    """Requests and limits are quantities, and no request is above its limit: Kubernetes would refuse each pod."""
    for requests_name in [name for name in settings if name.endswith("_requests")]:
        limits_name = requests_name.removesuffix("_requests") + "_limits"
        requests, limits = settings[requests_name] or {}, settings.get(limits_name) or {}
        wrong = [*_not_quantities(requests_name, requests), *_not_quantities(limits_name, limits)]
        yield from wrong
        if wrong:
            continue
        for resource in requests.keys() & limits.keys():
            requested, limit = names.quantity(requests[resource]), names.quantity(limits[resource])
            if requested is not None and limit is not None and requested > limit:
                yield (
                    f"{requests_name}: {resource} {requests[resource]} is more than the limit of "
                    f"{limits[resource]} in {limits_name}"
                )


def _not_quantities(variable: str, values: Mapping[str, Any]) -> Iterator[str]:
    for resource, value in values.items():
        amount = None if isinstance(value, bool) else names.quantity(value)
        if amount is None or amount < 0:
            yield f"{variable}: {resource} {shown(value)} is not allowed; {names.QUANTITY_RULE}"


def active_jobs(settings: Settings) -> Iterator[str]:
    """There cannot be more unfinished Jobs than Jobs."""
    active, jobs = settings.get("build_jobs_active_per_namespace"), settings.get("build_jobs_per_namespace")
    if active is not None and jobs is not None and active > jobs > 0:
        yield (
            f"build_jobs_active_per_namespace: {active} is more than build_jobs_per_namespace, {jobs}; "
            f"1 to {jobs}, or 0 for all"
        )


def build_processes(settings: Settings) -> Iterator[str]:
    """The busy loops are among the build's processes, beside its shell and its timer."""
    workers, processes = settings.get("build_jobs_cpu_workers"), settings.get("build_jobs_processes")
    if workers is not None and processes is not None and workers > processes - 2:
        yield f"build_jobs_cpu_workers: {workers} is not allowed; at most build_jobs_processes - 2, {processes - 2}"


def volumes(settings: Settings) -> Iterator[str]:
    """Sizes of volumes are quantities, and what is made of a volume is there and fits."""
    size, larger = (_size(settings, name) for name in ("volumes_size", "volumes_expand_to"))
    for variable in ("volumes_size", "volumes_expand_to"):
        value = settings.get(variable)
        if value is not None and (value or variable == "volumes_size") and _size(settings, variable) is None:
            yield f"{variable}: {shown(value)} is not allowed; {names.QUANTITY_RULE}, more than 0"
    if size is not None and larger is not None and larger <= size:
        yield (
            f"volumes_expand_to: {settings['volumes_expand_to']} is not more than volumes_size, "
            f"{settings['volumes_size']}; volumes only grow"
        )
    written = settings.get("volumes_write")
    if size is not None and written is not None and written * 2**20 > size:
        yield (
            f"volumes_write: {written} MiB do not fit into volumes_size, {settings['volumes_size']}; "
            f"at most {int(size // 2**20)}"
        )
    if settings.get("volumes_restores_per_volume") and settings.get("volumes_snapshots_per_volume") == 0:
        yield (
            f"volumes_restores_per_volume: {settings['volumes_restores_per_volume']} needs "
            "volumes_snapshots_per_volume of 1 or more; they are made of snapshots"
        )
    pods, mode = settings.get("volumes_pods_per_volume"), settings.get("volumes_access_mode")
    if pods is not None and pods > 1 and mode is not None and mode != "ReadWriteMany":
        yield (
            f"volumes_pods_per_volume: {pods} needs volumes_access_mode=ReadWriteMany; with {mode} a volume is for one "
            "pod, or for pods of one node"
        )
    for variable in ("volumes_storage_class", "volumes_snapshot_class"):
        value = settings.get(variable)
        if value and not names.is_dns_subdomain(value):
            yield (
                f"{variable}: {shown(value)} is not the name of a class; lower-case letters, digits, '-' and '.', "
                "first and last a letter or digit, at most 253 characters"
            )


def _size(settings: Settings, variable: str) -> Decimal | None:
    """A size in bytes; None where it is not given or no size."""
    found = names.quantity(settings.get(variable) or "")
    return found if found is not None and found > 0 else None


def burst(settings: Settings) -> Iterator[str]:
    """A burst needs a rate."""
    if settings.get("run_burst") and settings.get("run_qps") == 0:
        yield f"run_burst: {settings['run_burst']} has no effect without run_qps; set run_qps, or run_burst=0"


def connectivity(settings: Settings) -> Iterator[str]:
    """The connectivity check needs Services and pods that answer."""
    if not settings.get("connectivity_enabled"):
        return
    if settings.get("deployments_service_enabled") is False:
        yield "connectivity_enabled: true needs deployments_service_enabled=true; the check requests these Services"
    if settings.get("deployments_enabled") is False or settings.get("deployments_per_namespace") == 0:
        yield "connectivity_enabled: true needs Deployments; deployments_enabled=true, deployments_per_namespace from 1"
    elif settings.get("deployments_replicas") == 0:
        yield "connectivity_enabled: true needs deployments_replicas of 1 or more; nothing would answer"


RULES: tuple[Rule, ...] = (
    ranges,
    run_id,
    search_id,
    failed_pods_by_cause,
    observation_name,
    namespace_names,
    listed_names,
    rights_account,
    labels,
    images,
    quantities,
    resources,
    active_jobs,
    build_processes,
    volumes,
    burst,
    connectivity,
    gather,
    scan,
    accelerator_jobs,
    image_of_the_jobs,
)
