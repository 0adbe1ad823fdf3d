#!/bin/sh
# A CNI plug-in that hands everything on to the plug-in `bridge` beside it, writes a line for each ADD and DEL, and can
# delay both and fail a share of the ADDs. Its settings are read anew for each call: delay_seconds and fail_percent.
#
# A line of the log: seconds since 1970, command, sandbox, exit code.
here=${0%/*}
delay_seconds=0 fail_percent=0
. "$here/../settings"

case $CNI_COMMAND in
ADD | DEL) ;;
*) exec "$here/bridge" ;;
esac

[ "$delay_seconds" = 0 ] || sleep "$delay_seconds"

# Which ADDs fail follows from the sandbox's name, which is random: no counter that calls at once would have to share.
sandbox_number=$(printf '%d' "0x$(printf '%.6s' "$CNI_CONTAINERID")")
if [ "$CNI_COMMAND" = ADD ] && [ $((sandbox_number % 100)) -lt "$fail_percent" ]; then
    printf '%s\n' '{"cniVersion": "1.0.0", "code": 100, "msg": "refused on purpose: real_node_cni_fail_percent is set"}'
    code=1
else
    "$here/bridge"
    code=$?
fi
echo "$(date +%s) $CNI_COMMAND $CNI_CONTAINERID $code" >>"$here/../operations.log"
exit $code
