"""Minimal /metrics responses of an API server."""

from __future__ import annotations

from collections.abc import Mapping

SLI_LABELS = 'component="apiserver",group="",resource="configmaps",scope="resource",subresource="",verb="POST"'


def metrics(
    *,
    started: float = 1_700_000_000.5,
    cpu: float = 10.0,
    posts: Mapping[str, int] | None = None,
    rejected: int | None = None,
    mutating: int = 0,
    extra: str = "",
) -> bytes:
    """Return the text: `posts` are cumulative buckets of POST configmaps; None as `rejected` omits that series."""
    lines = ["# TYPE process_start_time_seconds gauge", f"process_start_time_seconds {started!r}"]
    lines += [f"process_cpu_seconds_total {cpu}", f"process_resident_memory_bytes {1e8 + cpu}"]
    lines += [f'apiserver_current_inflight_requests{{request_kind="mutating"}} {mutating}']
    lines += ['apiserver_current_inflight_requests{request_kind="readOnly"} 1']
    name = "apiserver_request_sli_duration_seconds_bucket"
    lines += [f'{name}{{{SLI_LABELS},version="v1",le="{le}"}} {count}' for le, count in (posts or {}).items()]
    if rejected is not None:
        level = 'flow_schema="global-default",priority_level="global-default",reason="queue-full"'
        lines.append(f"apiserver_flowcontrol_rejected_requests_total{{{level}}} {rejected}")
    return "\n".join([*lines, extra, ""]).encode()
