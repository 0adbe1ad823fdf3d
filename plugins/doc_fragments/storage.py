# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    """Options of settings/roles/storage.py that a scan and a watch share: what is reported, and from which age."""

    DOCUMENTATION = r"""
options:
  namespaces:
    description:
      - Only these namespaces, each of which is listed by itself, so that rights in them suffice for what lies in them.
      - Of volumes and contents, only those that belong to them. The default is all namespaces.
    type: list
    elements: str
    default: []
  exclude_namespaces:
    description: All namespaces but these.
    type: list
    elements: str
    default: []
  label_selector:
    description:
      - Label selector in the syntax of kubectl. Only claims, volumes, snapshots and contents that have such labels
        themselves are reported.
    type: str
    default: ""
  storage_classes:
    description:
      - Names of StorageClasses. Only claims and volumes of these classes are reported, and snapshots of such claims.
    type: list
    elements: str
    default: []
  drivers:
    description: Names of CSI drivers or provisioners. Only what belongs to them is reported.
    type: list
    elements: str
    default: []
  min_age:
    description:
      - How old an orphan is at least. For a released volume its age is the time since its release.
      - A number of seconds, or with a unit such as V(90m), V(24h), V(7d) or V(2w).
    type: str
    default: 24h
  confirm:
    description:
      - Look again at everything that seems to be an orphan, with lists that are newer than all of the first look, so
        that a pod that is created during the scan is seen.
    type: bool
    default: true
"""
