#!/bin/sh
# Puts the process $2 into the cgroup $1 of every hierarchy that has it: v1, v2, or both.
set -eu
for processes in "/sys/fs/cgroup/$1/cgroup.procs" /sys/fs/cgroup/*/"$1"/cgroup.procs; do
    if [ -e "$processes" ]; then
        echo "$2" >"$processes"
    fi
done
