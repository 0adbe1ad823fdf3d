# shellcheck shell=sh
# Requests each Deployment's Service over HTTP, round by round, and reports every failure. POSIX sh, busybox included.
#
# Kubernetes reads a Job's args before the shell does: see the build script's note on dollar signs.
#
# Reads from the environment:
#   CHECK_SERVICES          how many Services there are: deployment-1, deployment-2 …
#   CHECK_PORT              their port
#   CHECK_RESOLVE           address (the variables DEPLOYMENT_1_SERVICE_HOST … that Kubernetes gives a pod) or dns
#   CHECK_COUNT             rounds
#   CHECK_INTERVAL_SECONDS  from the end of one round to the next
#   CHECK_TIMEOUT_SECONDS   for one request
#   CHECK_WARM_UP_SECONDS   for all Services to answer for the first time; until then a failure does not count
#
# Ends with 0 if every request was answered with 200, with 1 if one was not, with 143 after SIGTERM.
set -u

requests=0
failures=0
failed_services=''

sleeper=''

terminate() {
  printf 'terminated after %s requests, %s failures\n' "$requests" "$failures"
  [ -z "$sleeper" ] || kill "$sleeper"
  exit 143
}
trap terminate TERM

say() { printf '%s %s\n' "$(date -u +%Y-%m-%dT%H:%M:%SZ)" "$*"; }

# host_of NUMBER: sets host; fails, with the cause in reason, where Kubernetes gave no address.
host_of() {
  if [ "$CHECK_RESOLVE" = dns ]; then
    host="deployment-$1.$NAMESPACE.svc"
    return 0
  fi
  eval "host=\${DEPLOYMENT_$1_SERVICE_HOST:-}"
  reason="the pod has no variable DEPLOYMENT_$1_SERVICE_HOST: the Service was not there when it started"
  [ -n "$host" ]
}

# request NUMBER: one GET; fails with the cause in reason. HTTP/1.0, so that the server closes the connection.
request() {
  host_of "$1" || return 1
  answer=$(printf 'GET /hostname HTTP/1.0\r\nHost: deployment-%s\r\n\r\n' "$1" |
    timeout "$((CHECK_TIMEOUT_SECONDS + 1))" nc -w "$CHECK_TIMEOUT_SECONDS" "$host" "$CHECK_PORT" 2>&1)
  status=$?
  case $answer in
    HTTP/1.[01]' 200 '*) return 0 ;;
    HTTP/*) reason="answered ${answer%%
*}" ;;
    '') reason="no answer within $CHECK_TIMEOUT_SECONDS s (exit $status)" ;;
    *) reason="$answer (exit $status)" ;;
  esac
  return 1
}

# In the background and waited for, since a foreground command would hold back the trap for SIGTERM.
pause() {
  sleep "$1" &
  sleeper=$!
  wait "$sleeper"
  sleeper=''
}

# A rule for a new Service takes its time to reach the nodes, also when its pods are ready.
warm_up() {
  until request "$1"; do
    waited=$(($(date +%s) - began))
    if [ "$waited" -ge "$CHECK_WARM_UP_SECONDS" ]; then
      say "deployment-$1 at ${host:-?}: no first answer after $waited s: $reason"
      return
    fi
    pause 1
  done
  say "deployment-$1 at $host: first answer after $(($(date +%s) - began)) s"
}

check() {
  requests=$((requests + 1))
  request "$1" && return
  failures=$((failures + 1))
  say "round $round: deployment-$1 at ${host:-?}: $reason"
  case " $failed_services " in
    *" deployment-$1 "*) ;;
    *) failed_services="$failed_services deployment-$1" ;;
  esac
}

# each COMMAND: run it for every Service's number.
each() {
  number=1
  while [ "$number" -le "$CHECK_SERVICES" ]; do
    "$1" "$number"
    number=$((number + 1))
  done
}

say "$CHECK_COUNT rounds over $CHECK_SERVICES Services in $NAMESPACE, by $CHECK_RESOLVE"
began=$(date +%s)
each warm_up
round=1
while [ "$round" -le "$CHECK_COUNT" ]; do
  [ "$round" -eq 1 ] || pause "$CHECK_INTERVAL_SECONDS"
  each check
  round=$((round + 1))
done
say "$requests requests, $failures failed${failed_services:+:}$failed_services"
[ "$failures" -eq 0 ]
