#!/usr/bin/python
# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module `image`: documentation, argument spec, one call into module_utils, one failure edge."""

from __future__ import annotations

DOCUMENTATION = r"""
module: image
short_description: Build the image of a folder and push it
version_added: "1.0.0"
author:
  - kubestress contributors (@kubestress)
description:
  - Makes an image of a folder's files and pushes it to a registry, without Docker and without gcloud.
  - The builder V(layers) adds the files as one layer to O(base) and runs nothing. The same files on the same base give
    the same digest on another day, in another folder and on another machine; then the task is not changed.
  - The builder V(cloud_build) has Google Cloud Build run the folder's Dockerfile, by REST. Each build is a new one, so
    that the task is changed each time.
  - The image's full name is that of the filter P(kubestress.core.image_name#filter). Files are left out by the rules of
    C(.dockerignore), and some always, as the guide says.
  - Lines of the builder are shown as they come, and kept in RV(log_file).
  - An interrupted play ends the build, or cancels it in the cloud.
requirements:
  - google-auth >= 2.40 and requests >= 2.32, for O(builder=cloud_build) and O(credentials_file)
  - C(crane), but not for O(builder=cloud_build); where it is missing it is built, once, with a Go compiler of at least
    1.26, or access to PyPI to fetch one, and access to a Go module proxy
  - C(buildah), for O(builder=buildah)
  - kubernetes >= 36.0.1 and aiohttp >= 3.13.5, for O(builder=job)
options:
  state:
    description:
      - With V(present) the registry has the image.
      - With V(planned) the options and the context are checked, and RV(image) says what it would be called. Nothing is
        built, and no registry, cluster or service is asked.
    type: str
    choices: [present, planned]
    default: present
  name:
    description:
      - What the image is called, such as V(train), V(my-project/train:v1) or V(localhost:5000/train).
      - A name without a registry belongs to O(project).
    type: str
    required: true
  tag:
    description: Tag, if O(name) has none. Without it, V(latest).
    type: str
  builder:
    description:
      - V(layers) adds the files to O(base) by C(crane), on this machine, and pushes the image.
      - V(cloud_build) uploads the files to the project's bucket C(PROJECT_cloudbuild), which is made if it is missing,
        and has Google Cloud Build run the Dockerfile and push the image. It builds for C(linux/amd64).
      - V(buildah) has that program run the Dockerfile on this machine and push the image. Without a C(RUN) in it, the
        same files give the same digest.
      - V(job) has a Job on a cluster run the Dockerfile by BuildKit without root, and push the image; see O(job).
    type: str
    choices: [layers, cloud_build, buildah, job]
    default: layers
  context:
    description: Folder whose files go into the image. There they are in C(/app), which is the working directory too.
    type: path
    required: true
  base:
    description:
      - Image that the files are added to, such as V(python:3.12-slim). It stays in its registry.
      - Without it, the image has the files and nothing else.
      - Only for O(builder=layers). With others the Dockerfile's C(FROM) says it.
    type: str
  dockerfile:
    description:
      - Path of a Dockerfile in O(context), for a builder that runs one.
      - O(builder=layers) runs none and refuses it. With others the default is C(Dockerfile).
    type: str
  platform:
    description: Operating system and architecture of the image.
    type: str
    default: linux/amd64
  project:
    description:
      - Id of the project in Google Cloud that the image belongs to and that O(builder=cloud_build) builds in.
      - Needed if O(name) has no registry, and for O(builder=cloud_build).
    type: str
  region:
    description: Location of the Artifact Registry, such as V(europe-west4). Needs O(repository).
    type: str
  repository:
    description: Repository in the Artifact Registry. Needs O(region).
    type: str
  credentials_file:
    description:
      - File of credentials for Google Cloud, of a service account or of a user.
      - Without it, O(builder=cloud_build) uses the file in E(GOOGLE_APPLICATION_CREDENTIALS), that of
        C(gcloud auth application-default login), or the metadata server, in this order.
      - With O(builder=layers) it is the login at Google's registries; no other registry gets a token.
    type: path
  endpoints:
    description:
      - Other addresses of services, such as those of a private network or a stand-in, C(https://HOST[:PORT][/PATH]).
        Without TLS only on this machine.
    type: dict
    suboptions:
      storage:
        description: Cloud Storage; by default C(https://storage.googleapis.com).
        type: str
      cloud_build:
        description: Cloud Build; by default C(https://cloudbuild.googleapis.com).
        type: str
      token:
        description: Where tokens are given; by default what the credentials name.
        type: str
  cloud_build:
    description: Where O(builder=cloud_build) has things, such as where an organisation allows only some places.
    type: dict
    suboptions:
      bucket:
        description:
          - Bucket for the files and the log, instead of C(PROJECT_cloudbuild). It is made if it is missing.
          - It may belong to another project. One with the default's name may not.
        type: str
      bucket_location:
        description:
          - Location of the bucket if it is made, such as V(europe-west4) or V(EU). Without it, the service's default.
        type: str
      location:
        description: Location of the build, such as V(europe-west4). Without it, the build is not bound to one.
        type: str
  job:
    description:
      - Where O(builder=job) builds. What is not given here comes from the variables V(kubestress_kubeconfig) and
        V(kubestress_context), then from the C(K8S_AUTH_*) variables and the places that all modules know.
      - The registry must be reached under the image's name from here and from the cluster.
    type: dict
    suboptions:
      namespace:
        description: Namespace of the Job. Its pods need the seccomp profile C(Unconfined).
        type: str
        default: default
      kubeconfig:
        description: Path of a kubeconfig file.
        type: path
      context:
        description: Context of the kubeconfig.
        type: str
      buildkit:
        description: Image of BuildKit that runs as user 1000.
        type: str
        default: docker.io/moby/buildkit:rootless
      carrier:
        description: Image with C(cp), to which the context is added so that the pod can copy it.
        type: str
        default: docker.io/library/busybox:stable
      secret:
        description: Secret of type C(kubernetes.io/dockerconfigjson) in the namespace, with the logins.
        type: str
  registry_insecure:
    description:
      - Whether a registry without TLS, or with any certificate, is accepted.
      - Not needed for a registry on this machine.
    type: bool
    default: false
  timeout:
    description:
      - Seconds for the build in the cloud, which may also wait for an hour before it begins, or for the Job.
      - With O(builder=layers) and O(builder=buildah), seconds for each run of the program, so that a registry that does
        not answer is given up. Building C(crane) may take as long.
      - Must be 60 to 86,400.
    type: int
    default: 3600
  log_file:
    description:
      - File for the log. Without it, a new one in the folder for temporary files.
      - Inside O(context), its name must end with C(.log), so that it is not part of the image.
    type: path
  cache_dir:
    description:
      - Folder of built programs, shared with M(kubestress.core.local_cluster).
      - The default is C(${KUBESTRESS_CACHE:-${XDG_CACHE_HOME:-~/.cache}/kubestress}).
    type: path
  binaries_dir:
    description:
      - Folder with a C(crane) that is preferred to those on E(PATH) and in O(cache_dir), of any version.
      - A C(buildah) in it is preferred to the one on E(PATH).
    type: path
  sources_dir:
    description:
      - Folder with the pinned Go modules, on the machine where the module runs.
      - The default is C(files) of this collection's role P(kubestress.core.local_cluster#role), which needs
        C(connection=local).
    type: path
  progress_file:
    description: File to which progress lines are appended; set by the action plug-in, which shows them.
    type: path
attributes:
  check_mode:
    description: Looks through the context and says what would be built; nothing is built or sent.
    support: partial
    details: >-
      With O(builder=layers) registries are read, and a change is reported only if the digest would differ. With others
      that cannot be known, and a change is reported.
  diff_mode:
    description: The module returns no diff.
    support: none
  async:
    description: Works with C(async), then without progress lines.
    support: full
notes:
  - Logins are those of C(docker login) or C(crane auth login), in E(DOCKER_CONFIG) or C(~/.docker).
seealso:
  - plugin: kubestress.core.image_name
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Build the image of a folder on a base
  kubestress.core.image:
    name: train
    project: my-project
    region: europe-west4
    repository: jobs
    context: train
    base: python:3.12-slim
  register: built

- name: Have Cloud Build run the Dockerfile
  kubestress.core.image:
    name: train
    builder: cloud_build
    project: my-project
    context: train
    credentials_file: key.json

- name: Push it to a registry on this machine
  kubestress.core.image:
    name: localhost:5000/train
    tag: v1
    context: train
    base: localhost:5000/python:3.12-slim
"""

RETURN = r"""
image:
  description: The image's full name.
  returned: always
  type: str
  sample: europe-west4-docker.pkg.dev/my-project/jobs/train:latest
digest:
  description:
    - The digest that the name stands for. In check mode what it would be, null if that is not known, as with
      O(state=planned).
  returned: success
  type: str
  sample: sha256:1d40820f53c2cc2d632ed26d363bad2496cfc81c134b40cc63204df903e1f776
reference:
  description: The name with the digest instead of the tag, which always means this image. In check mode as RV(digest).
  returned: success
  type: str
  sample: europe-west4-docker.pkg.dev/my-project/jobs/train@sha256:1d40820f53c2cc2d632ed26d363bad2496cfc81c
builder:
  description: The builder.
  returned: always
  type: str
  sample: layers
files:
  description: Files of the context that are in the image.
  returned: always
  type: int
  sample: 12
bytes:
  description: Their bytes.
  returned: always
  type: int
  sample: 48213
log_file:
  description: What the builder wrote. Null in check mode and with O(state=planned).
  returned: always
  type: str
  sample: /tmp/kubestress-image-a1b2c3d4.log
seconds:
  description: How long it took.
  returned: success
  type: float
  sample: 4.2
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.errors import ModuleFailed
from ..module_utils.images.arguments import ARGUMENTS
from ..module_utils.images.image import run_module


def main() -> None:
    """Run the module; the one place where errors become a failure."""
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    try:
        outcome = run_module(module.params, check_mode=module.check_mode)
    except ModuleFailed as error:
        module.fail_json(msg=str(error), **error.result)
    for warning in outcome.warnings:
        module.warn(warning)
    module.exit_json(**outcome.result)


if __name__ == "__main__":
    main()
