#!/bin/sh
# Runs the command $2… in the cgroup $1. Of the node's namespaces it is already a part.
set -eu
cgroup=$1
shift
sh "${0%/*}/cgroup.sh" "$cgroup" $$
exec "$@"
