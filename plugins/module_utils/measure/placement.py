# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a run's pods ran on simulated nodes, as far as that is known. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

_NOT_REAL = "ran nothing, nothing was really killed, and what they show of processes and memory is no evidence"


def simulated_statement(summary: Mapping[str, Any], *, kinds: Sequence[Mapping[str, Any]]) -> list[dict[str, str]]:
    """At most one statement, on the pods of this run alone; none where no pod was on a simulated node, or none was.

    What observers saw of the nodes with the run's pods goes before `kinds`, which are all nodes of the cluster: there
    the run may have been kept to some of them.
    """
    if not has_pods(summary):
        return []
    text, state = _text(summary.get("nodes") or {}, kinds)
    return [{"about": "simulated nodes", "state": state, "text": text}] if text else []


def has_pods(summary: Mapping[str, Any]) -> bool:
    """Whether the run had pods of its own, by what is known of them."""
    pods, nodes = summary["pods"], summary.get("nodes") or {}
    counted = (pods.get("succeeded"), pods.get("failed"), pods.get("startup_p50_s"), nodes.get("seen"))
    return any(value for value in counted) or bool(pods.get("worst")) or pods.get("startup_p50_s") is not None


def _text(nodes: Mapping[str, Any], kinds: Sequence[Mapping[str, Any]]) -> tuple[str, str]:
    """The sentence and its state; ("", "") where there is nothing to say."""
    of_cluster = {bool(kind.get("simulated")) for kind in kinds}
    if of_cluster == {True}:
        return f"All nodes of the cluster are simulated: their pods {_NOT_REAL}.", "limited"
    if of_cluster == {False}:
        return "", ""
    seen, simulated = nodes.get("seen") or 0, nodes.get("simulated") or 0
    # A node that told of processes is real, whether or not its Node could be read.
    unlooked = nodes.get("not_asked") or 0
    unknown = unlooked + (nodes.get("unknown") or 0)
    if seen and not unknown:
        if not simulated:
            return "", ""
        if simulated == seen:
            return f"This run's pods were on simulated nodes only: they {_NOT_REAL}.", "limited"
    if simulated:
        others = f", and of {unknown:,} it is not known" if unknown else ""
        seen_as = f"Of {seen + unlooked:,} nodes with this run's pods at least {simulated:,} are simulated{others}"
        return f"{seen_as}: their pods {_NOT_REAL}.", "limited"
    if of_cluster == {True, False} and (unknown or not seen):
        text = (
            "The cluster has simulated nodes beside real ones, and which of them this run's pods were on is not known."
        )
        return text, "no data"
    return "", ""
