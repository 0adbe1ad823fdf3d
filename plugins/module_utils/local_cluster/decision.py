# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What has to be done to get from what runs to what is wanted. Pure: no process, no file is touched here."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Decision:
    """Names of parts: to `start`, to end and start again (`replace`), and `outdated` ones that nobody allowed to end.

    The three never overlap.
    """

    start: tuple[str, ...] = ()
    replace: tuple[str, ...] = ()
    outdated: tuple[str, ...] = ()

    @property
    def nothing_to_do(self) -> bool:
        """Whether everything runs as wanted."""
        return not (self.start or self.replace or self.outdated)


def decide(
    wanted: Mapping[str, str],
    recorded: Mapping[str, str],
    *,
    alive: Collection[str],
    replaceable: Collection[str],
    restart: bool,
) -> Decision:
    """Compare the wanted parts with the running ones.

    :param wanted: fingerprint by part, in starting order.
    :param recorded: the fingerprint that each part was started with.
    :param alive: the parts that run.
    :param replaceable: the parts that may be restarted without asking.
    :param restart: whether the user allows to restart any part.
    """
    start = [name for name in wanted if name not in alive]
    differing = [name for name in wanted if name in alive and recorded.get(name) != wanted[name]]
    if restart and any(name not in replaceable for name in differing):
        # A part whose port changes takes its clients with it: simplest and safest is all of them.
        return Decision(start=tuple(start), replace=tuple(name for name in wanted if name in alive))
    replace = [name for name in differing if name in replaceable]
    outdated = [name for name in differing if name not in replaceable]
    return Decision(tuple(start), tuple(replace), tuple(outdated))


def describe_difference(recorded: Mapping[str, Any], wanted: Mapping[str, Any], outdated: Sequence[str]) -> str:
    """Say in one phrase how the running cluster differs from the wanted one."""
    changed = [
        f"{name} is {_shown(recorded.get(name))}, asked for is {_shown(wanted[name])}"
        for name in wanted
        if recorded.get(name) != wanted[name]
    ]
    if changed:
        return "; ".join(changed)
    return f"{', '.join(outdated)} would be started from other programs or with other flags than before"


def _shown(value: Any) -> str:
    return "unset" if value is None else str(value)
