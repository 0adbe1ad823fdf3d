# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks and fixes the settings of all roles, in the process of the controller: no module is sent anywhere."""

from __future__ import annotations

import json
import platform
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ansible.plugins.action import ActionBase
from ansible.release import __version__ as ansible_version
from ansible.utils.display import Display
from ansible.utils.vars import load_extra_vars
from ansible_collections.kubestress.core.plugins.module_utils.results.folder import (
    ResultsError,
    RunFolder,
    next_attempt,
)
from ansible_collections.kubestress.core.plugins.module_utils.settings.check import (
    Checked,
    check_role,
    check_run,
)
from ansible_collections.kubestress.core.plugins.module_utils.settings.run import new_run_id, settings_hash
from ansible_collections.kubestress.core.plugins.module_utils.settings.setting import SettingError
from ansible_collections.kubestress.core.plugins.module_utils.settings.table import ROLES, SETTINGS
from ansible_collections.kubestress.core.plugins.plugin_utils import setting_files
from ansible_collections.kubestress.core.plugins.plugin_utils.ends import commands
from ansible_collections.kubestress.core.plugins.plugin_utils.given_settings import accepted, given_of
from ansible_collections.kubestress.core.plugins.plugin_utils.live import process as live
from ansible_collections.kubestress.core.plugins.plugin_utils.run_log import RunLog

display = Display()

#: Hosts that a message lists before it only counts.
_NAMED_HOSTS = 5


class ActionModule(ActionBase):
    """Reports all problems at once, one line each; writes nothing while there is one."""

    _requires_connection = False
    _supports_check_mode = True
    _supports_async = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """The settings and the run; failed, with a line for each refused setting, or if no folder can be made."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        del tmp
        _checked, options = self.validate_argument_spec(
            argument_spec={
                "attempt": {"type": "str", "choices": ["new", "current", "latest", "none"], "default": "new"},
                "complete": {"type": "bool", "default": True},
                "role": {"type": "str", "choices": [name for name, role in ROLES.items() if role.alone]},
                "values": {"type": "dict", "default": {}},
                "defaults": {"type": "dict", "default": {}},
            }
        )
        try:
            given = given_of(
                task_vars or {},
                loader=self._loader,
                template=self._templar.template,
                extra_vars=load_extra_vars(self._loader),
                values=options["values"],
                defaults=options["defaults"],
            )
            if options["role"]:
                checked = accepted(check_role(given, ROLES[options["role"]], complete=options["complete"]))
                told = {name: value for name, value in checked.settings.items() if not SETTINGS[name].secret}
                result.update(changed=False, settings=told)
                return result
            _refuse_several_hosts(task_vars or {})
            checked = accepted(check_run(given))
            settings = checked.settings
            current = (task_vars or {}).get("kubestress_run") if options["attempt"] == "current" else None
            if options["attempt"] == "latest":
                run, changed = _latest_run(settings), False
            elif options["attempt"] == "none":
                run, changed = _run_without_files(settings, profile=given.profile), False
            else:
                changed = not self._task.check_mode
                going_on = _current_run(settings, current, profile=given.profile, write=changed)
                run = going_on or _new_run(settings, profile=given.profile, write=changed)
                if going_on is None:
                    _show_environment(checked)
            if changed:
                _log(run, checked)
            # Roles on their own make no report, which would end the page.
            if changed and options["attempt"] == "new":
                _begin_page(run, settings)
        except (SettingError, ResultsError) as error:
            # Not raised: before 2.19 Ansible would call it an exception and show its last line first.
            result.update(failed=True, msg=str(error))
            return result
        result.update(changed=changed, settings=settings, run=run)
        return result


def _refuse_several_hosts(task_vars: dict[str, Any]) -> None:
    """Raise SettingError in a play of several hosts: none of them would know of the others' settings and namespaces."""
    hosts = list(task_vars.get("ansible_play_hosts_all") or ())
    if len(hosts) > 1:
        more = f" and {len(hosts) - _NAMED_HOSTS} more" if len(hosts) > _NAMED_HOSTS else ""
        given = task_vars.get("kubestress_hosts")
        who = f"kubestress_hosts: {given} stands for" if given else "this play has"
        raise SettingError(
            f"{who} {len(hosts)} hosts ({', '.join(hosts[:_NAMED_HOSTS])}{more}), and each of them would make the "
            "objects of a run; a run has one host: name it in the play's `hosts`, or with --limit, and give each run a "
            "play of its own"
        )


def _new_run(settings: dict[str, Any], *, profile: str, write: bool) -> dict[str, Any]:
    """Fix the run id in `settings`, and make the folder of the next attempt with its run.json if `write`.

    Returns the fact kubestress_run. Raises ResultsError.
    """
    now = datetime.now(UTC)
    settings["run_id"] = settings["run_id"] or new_run_id(now)
    folder = next_attempt(settings["run_results_dir"], settings["run_id"], create=write)
    described = _described(settings, now, attempt=folder.attempt, profile=profile)
    if write:
        folder.write_run({"schema": 1, **described, "settings": settings, "versions": _versions()})
    return {**described, **_places(folder, settings)}


def _run_without_files(settings: dict[str, Any], *, profile: str) -> dict[str, Any]:
    """The fact kubestress_run where no load begins: the run has an id, but neither attempt nor files."""
    now = datetime.now(UTC)
    settings["run_id"] = settings["run_id"] or new_run_id(now)
    places = dict.fromkeys(("results_dir", "attempt_dir", "log_file"), "")
    return {**_described(settings, now, attempt=0, profile=profile), **places}


def _described(settings: dict[str, Any], now: datetime, *, attempt: int, profile: str) -> dict[str, Any]:
    return {
        "run_id": settings["run_id"],
        "attempt": attempt,
        "profile": profile,
        "started": now.isoformat(timespec="seconds").replace("+00:00", "Z"),
        "settings_hash": settings_hash(settings),
    }


def _current_run(
    settings: dict[str, Any], current: dict[str, Any] | None, *, profile: str, write: bool
) -> dict[str, Any] | None:
    """The fact kubestress_run of the current run, with these settings; None without one, or if they name another run.

    Raises ResultsError.
    """
    if current is None or not current["attempt"] or settings["run_id"] not in ("", current["run_id"]):
        return None
    settings["run_id"] = current["run_id"]
    run = {**current, "profile": profile, "settings_hash": settings_hash(settings)}
    if write:
        folder = RunFolder.of_attempt(current["attempt_dir"])
        folder.update_run(settings=settings, profile=profile, settings_hash=run["settings_hash"])
    return run


def _latest_run(settings: dict[str, Any]) -> dict[str, Any]:
    """The fact kubestress_run of the newest attempt that is there. Raises SettingError or ResultsError."""
    if not settings["run_id"]:
        raise SettingError("run_id: none is given; to report on a run again, name it")
    following = next_attempt(settings["run_results_dir"], settings["run_id"], create=False)
    if following.attempt == 1:
        raise SettingError(f"run_id: there is no run {settings['run_id']!r} in {following.root.parent}")
    folder = RunFolder(root=following.root, attempt=following.attempt - 1)
    document = folder.read_run()
    described = {name: document[name] for name in ("run_id", "attempt", "profile", "started", "settings_hash")}
    return {**described, **_places(folder, settings)}


def _places(folder: RunFolder, settings: dict[str, Any]) -> dict[str, str]:
    return {
        "results_dir": str(folder.root),
        "attempt_dir": str(folder.attempt_dir),
        "log_file": settings["run_log_file"] or str(folder.log_file),
    }


def _show_environment(checked: Checked) -> None:
    """At the start of a run, list what the environment gave: nobody wrote it down for this run."""
    if checked.environment:
        display.display(_environment_line(checked), color="bright blue")


def _environment_line(checked: Checked) -> str:
    given = [f"{variable} ({name}: {checked.settings[name]})" for name, variable in checked.environment.items()]
    return f"  from the environment: {', '.join(given)}; run_environment=false leaves it out"


def _log(run: dict[str, Any], checked: Checked) -> None:
    """Begin the run's log. Raises SettingError if it cannot be written."""
    settings = checked.settings
    log = RunLog(path=Path(run["log_file"]), least=settings["run_log_level"])
    profile = f", profile {run['profile']}" if run["profile"] else ""
    try:
        log.add("INFO", [f"run {run['run_id']}, attempt {run['attempt']}{profile}, settings {run['settings_hash']}"])
        log.add("DEBUG", [f"setting {name}: {json.dumps(settings[name])}" for name in sorted(settings)])
        if checked.environment:
            log.add("INFO", [_environment_line(checked).strip()])
        log.add("WARNING", checked.warnings)
    except OSError as error:
        raise SettingError(f"run_log_file: cannot write {log.path}: {error.strerror or error}") from error


def _begin_page(run: dict[str, Any], settings: dict[str, Any]) -> None:
    """Have the page written from now on, if it is wanted. A run does not fail for want of it."""
    if not settings["report_live"] or "html" not in settings["report_formats"]:
        return
    folder = RunFolder.of_attempt(run["attempt_dir"])
    found = commands(run["run_id"], results_dir=settings["run_results_dir"], task_vars={}, template=lambda value: value)
    try:
        process = live.begin(
            folder,
            log_file=run["log_file"],
            log_level=settings["run_log_level"],
            report_command=found["report"],
        )
    except ResultsError as error:
        display.warning(f"report_live: {error}")
        return
    if process is not None:
        page = folder.root / "report.html"
        display.display(f"  page      {page}, written while the run goes on", color="bright blue")


def _versions() -> dict[str, str]:
    collection = setting_files.collection_version()
    return {"ansible": ansible_version, "collection": collection, "python": platform.python_version()}
