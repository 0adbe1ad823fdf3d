# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Shows lines through Ansible's display, in the colours of the user's configuration."""

from __future__ import annotations

from collections.abc import Iterable

from ansible import constants
from ansible.utils.display import Display
from ansible_collections.kubestress.core.plugins.module_utils.results.table import (
    BAD,
    FAINT,
    GOOD,
    HEADING,
    WARN,
    Line,
)


def show_lines(lines: Iterable[Line], *, at_once: bool = False) -> None:
    """Show each line in the colour of its tone.

    `at_once`: on standard error. What goes to standard output is lost when Ansible is killed and that is no terminal.

    Display itself omits colours without a terminal, and with ANSIBLE_NOCOLOR or NO_COLOR.
    """
    colours = {
        GOOD: constants.COLOR_OK,
        WARN: constants.COLOR_WARN,
        BAD: constants.COLOR_ERROR,
        HEADING: constants.COLOR_HIGHLIGHT,
        FAINT: constants.COLOR_DEBUG,
    }
    display = Display()
    for line in lines:
        display.display(line.text, color=colours.get(line.tone), stderr=at_once)
