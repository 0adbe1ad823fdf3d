# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter `image_name`: the full name of an image."""

from __future__ import annotations

DOCUMENTATION = r"""
name: image_name
short_description: Full name of an image, with registry, project and tag
version_added: "1.0.0"
author:
  - kubestress contributors (@kubestress)
description:
  - Gives the name under which M(kubestress.core.image) pushes an image and a pod pulls it.
  - A name whose first part is a registry, because it has a dot or a port or is V(localhost), keeps registry and path.
    Any other belongs to O(project), in C(gcr.io), or with O(region) and O(repository) in Artifact Registry. A project
    that the name already begins with is not put before it again.
  - The tag is what follows the last colon after the last slash. A name with a digest gets no tag.
  - All values are trimmed, so that the newline at the end of a file or of a command's answer does no harm.
options:
  _input:
    description: What the image is called, such as V(train), V(my-project/train:v1) or V(localhost:5000/train).
    type: str
    required: true
  project:
    description: Id of the project in Google Cloud. Needed if the name has no registry.
    type: str
  region:
    description: Location of the Artifact Registry, such as V(europe-west4). Needs O(repository).
    type: str
  repository:
    description: Repository in the Artifact Registry. Needs O(region).
    type: str
  tag:
    description: Tag, if the name has none. Without it, V(latest).
    type: str
seealso:
  - plugin: kubestress.core.image
    plugin_type: module
"""

EXAMPLES = r"""
- name: gcr.io/my-project/train:latest
  ansible.builtin.debug:
    msg: "{{ 'train' | kubestress.core.image_name(project='my-project') }}"

- name: europe-west4-docker.pkg.dev/my-project/jobs/train:v1
  ansible.builtin.debug:
    msg: "{{ 'train:v1' | kubestress.core.image_name(project='my-project', region='europe-west4', repository='jobs') }}"

- name: localhost:5000/train:v1
  ansible.builtin.debug:
    msg: "{{ 'localhost:5000/train' | kubestress.core.image_name(tag='v1') }}"
"""

RETURN = r"""
_value:
  description: The full name.
  type: str
  sample: gcr.io/my-project/train:latest
"""

from collections.abc import Callable

from ansible.errors import AnsibleFilterError
from ansible_collections.kubestress.core.plugins.module_utils.images import names
from ansible_collections.kubestress.core.plugins.module_utils.images.errors import BadOption


def image_name(name: str, project: str = "", region: str = "", repository: str = "", tag: str = "") -> str:
    """Return the full name. Raises AnsibleFilterError, which names the option and what is allowed."""
    try:
        return names.image_name(name, project=project, region=region, repository=repository, tag=tag)
    except BadOption as error:
        raise AnsibleFilterError(f"image_name: {error}") from error


class FilterModule:
    """Registers the filter."""

    def filters(self) -> dict[str, Callable[..., str]]:
        """Return the filter by name."""
        return {"image_name": image_name}
