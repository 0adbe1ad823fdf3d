# shellcheck shell=sh
# Writes into a volume, and ends when the storage has it. POSIX sh, busybox included.
#
# Kubernetes reads a pod's args before the shell does: see the build script's note on dollar signs.
#
# Reads from the environment:
#   VOLUME_PATH       a folder, or a device
#   VOLUME_FILE       the name of the file in a folder
#   VOLUME_WRITE_MIB  how many MiB to write; with 0 a folder only has to take an empty file
#
# The bytes are random: storage that compresses would store zeros in no space and no time.
#
# Ends with 0 when all is written and stored (fsync), else with what failed on stderr and not with 0.
set -eu

target=$VOLUME_PATH
if [ -d "$VOLUME_PATH" ]; then
    target=$VOLUME_PATH/$VOLUME_FILE
fi
if [ "$VOLUME_WRITE_MIB" -eq 0 ]; then
    if [ -d "$VOLUME_PATH" ]; then
        : > "$target"
    fi
    echo "nothing to write to $target"
    exit 0
fi

read -r began _idle < /proc/uptime
dd if=/dev/urandom of="$target" bs=1M count="$VOLUME_WRITE_MIB" conv=fsync
read -r ended _idle < /proc/uptime
echo "wrote $VOLUME_WRITE_MIB MiB to $target, from second $began to second $ended of the node's uptime"
