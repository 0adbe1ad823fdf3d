#!/bin/sh
# The first process of the node's own pid, mount and network namespaces, started by unshare. When it ends, the kernel
# kills every process of the pid namespace; with the last one the mounts and the network go. Nothing can stay behind.
#
# Arguments: the file to make when ready, the pid_max of this pid namespace (0 leaves it), the cgroup of the node's own
# processes, the folder of the parts' logs, the log of the network plug-in, and then the folders that have to stay visible.
set -eu
ready=$1 pid_max=$2 cgroup=$3 logs=$4 operations=$5
shift 5

sh "${0%/*}/cgroup.sh" "$cgroup" $$
mount --make-rprivate /

# Programs write to places that no option changes: containerd's shims to /run/containerd/s, libcni to /var/lib/cni, the
# kubelet to /var/lib/kubelet/device-plugins and /var/log/containers. Here these are empty folders of the node's own.
mount -t tmpfs -o mode=755 kubestress /run
count=0
for folder; do
    mkdir -p "/run/visible/$count"
    mount --bind "$folder" "/run/visible/$count"
    count=$((count + 1))
done
mount -t tmpfs -o mode=755 kubestress /var/lib
mount -t tmpfs -o mode=755 kubestress /var/log
count=0
for folder; do
    if [ ! -d "$folder" ]; then
        mkdir -p "$folder"
        mount --bind "/run/visible/$count" "$folder"
    fi
    count=$((count + 1))
done

# Its kubelet shows what lies in /var/log, as on any node: so a must-gather, and a run, find the logs of the node there.
mkdir /var/log/kubestress-node
mount --bind "$logs" /var/log/kubestress-node
: >>"$operations"
ln -s "$operations" /var/log/operations.log

# The kubelet sets these for the whole machine where they differ. It finds here what it wants and leaves them alone.
mkdir /run/sysctl
while read -r name value; do
    file=/run/sysctl/$(echo "$name" | tr / -)
    echo "$value" >"$file"
    mount --bind "$file" "/proc/sys/$name"
done <<VALUES
vm/overcommit_memory 1
vm/panic_on_oom 0
kernel/panic 10
kernel/panic_on_oops 1
kernel/keys/root_maxkeys 1000000
kernel/keys/root_maxbytes 25000000
VALUES

if [ "$pid_max" -gt 0 ]; then
    echo "$pid_max" >/proc/sys/kernel/pid_max
fi
# The kubelet's volumes have to reach the containers.
mount --make-rshared /
ip link set lo up
mkdir -p /run/kubestress
: >"$ready"

# Collects what its children leave, until it has to end: sleep is only there to be waited for.
trap 'exit 0' TERM INT
while :; do
    sleep 86400 &
    wait $! || :
done
