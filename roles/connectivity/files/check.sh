# shellcheck shell=sh
# Requests each Deployment's Service over HTTP, round by round, and reports every request with its code and times. POSIX
# sh, busybox included.
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
#   CHECK_MESSAGE_FILE      where the end of the output goes too; unset: /dev/termination-log
#
# Requests are sent by curl, which the default image has (test/images/agnhost/Dockerfile of Kubernetes). Without curl, nc
# sends them: then only the whole time is known, from /proc/uptime, which counts in steps of 10 ms.
#
# The output ends with failures once more, the counts, and in the last line the times of all requests of the rounds as
# histograms. The same comes to the pod's status as the container's termination message, where plugins/module_utils/
# measure/service_checks.py reads it; less than 4,096 bytes, which is what the kubelet takes. A shell that dies, as where
# it cannot fork, writes no message. Then it is the end of the output (FallbackToLogsOnError).
#
# Ends with 0 if every request was answered with 200, with 1 if one was not, with 143 after SIGTERM.
set -u

bounds='1000 2000 5000 10000 20000 50000 100000 200000 500000 1000000 2000000 5000000 10000000'    # microseconds
max_codes=20       # codes that are counted by themselves; others are counted as "other"
max_repeated=4     # failures that are repeated at the end, beside the last one

carriage_return=$(printf '\r')
requests=0
failures=0
failed_services=''
repeated=''
last_failure=''
codes=''
seen_codes=0
sleeper=''

terminate() {
  end "terminated after $requests requests, $failures failures"
  [ -z "$sleeper" ] || kill "$sleeper"
  exit 143
}
trap terminate TERM

say() { printf '%s %s\n' "$(date -u +%Y-%m-%dT%H:%M:%SZ)" "$*"; }

# add NAME: one more of what the variable of this name counts.
add() { eval "$1=\$((\${$1:-0} + 1))"; }

# tally PHASE MICROSECONDS: count a time in its bucket; nothing for a phase that was not measured.
tally() {
  [ -n "$2" ] || return 0
  bucket=1
  for bound in $bounds; do
    [ "$2" -gt "$bound" ] || break
    bucket=$((bucket + 1))
  done
  add "count_$1"
  add "bucket_$1_$bucket"
}

# tally_code CODE: three digits, or none.
tally_code() {
  case " $codes " in
    *" $1 "*) add "code_$1" ;;
    *)
      if [ "$seen_codes" -ge "$max_codes" ]; then
        add code_other
        return
      fi
      seen_codes=$((seen_codes + 1))
      codes="$codes $1"
      add "code_$1"
      ;;
  esac
}

# histogram PHASE: the numbers in its buckets, the last one above all bounds; "-" where nothing was measured.
histogram() {
  eval "counted=\${count_$1:-0}"
  numbers=-
  [ "$counted" -gt 0 ] || return 0
  numbers=''
  bucket=1
  for bound in $bounds inf; do
    eval "numbers=\$numbers,\${bucket_$1_$bucket:-0}"
    bucket=$((bucket + 1))
  done
  numbers=${numbers#,}
}

# timings: print the line with the counts and the histograms.
timings() {
  line="kubestress-timings-1 requests=$requests failed=$failures codes="
  separator=''
  for code in $codes other; do
    eval "counted=\${code_$code:-0}"
    [ "$counted" -gt 0 ] || continue
    line="$line$separator$code:$counted"
    separator=,
  done
  for phase in name_lookup connect first_byte total; do
    histogram "$phase"
    line="$line $phase=$numbers"
  done
  printf '%s\n' "$line"
}

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

# report WORDS: the end of the output.
report() {
  printf '%s' "$repeated"
  [ -z "$last_failure" ] || printf '%s\n' "$last_failure"
  printf '%s\n' "$1"
  timings
}

# end WORDS: to the message first, since without it the end of the output takes its place.
end() {
  report "$1" >"${CHECK_MESSAGE_FILE:-/dev/termination-log}" || say 'the termination message could not be written'
  report "$1"
}

# microseconds SECONDS: sets us; empty for what is no number with six decimals.
microseconds() {
  us=''
  case $1 in
    *[!0-9.]*) ;;
    *?.[0-9][0-9][0-9][0-9][0-9][0-9]) us=$((${1%.*} * 1000000 + 1${1#*.} - 1000000)) ;;
  esac
}

# uptime_us: sets us to the time since the node's start; empty where it cannot be read.
uptime_us() {
  us=''
  read -r up _idle 2>/dev/null </proc/uptime || return 0
  case $up in
    *[!0-9.]*) ;;
    *?.[0-9][0-9]) us=$(((${up%.*} * 100 + 1${up#*.} - 100) * 10000)) ;;
  esac
}

# ask_curl NUMBER: sets code, reason and the times; fails with curl. HTTP/1.0, so that the server closes the connection.
ask_curl() {
  case $host in *:*) place="[$host]" ;; *) place=$host ;; esac
  answer=$(timeout "$((CHECK_TIMEOUT_SECONDS + 1))" curl -sS -o /dev/null --http1.0 --noproxy '*' \
    --max-time "$CHECK_TIMEOUT_SECONDS" -H "Host: deployment-$1" \
    -w '\ntimes %{time_namelookup} %{time_connect} %{time_starttransfer} %{time_total} %{http_code}' \
    "http://$place:$CHECK_PORT/hostname" 2>&1)
  status=$?
  reason=${answer%%
*}
  case $answer in
    *'times '*)
      # Split by hand: a here-document may need a file, and the root filesystem is read-only.
      answer=${answer##*times }
      lookup=${answer%% *} answer=${answer#* }
      connect=${answer%% *} answer=${answer#* }
      first=${answer%% *} answer=${answer#* }
      total=${answer%% *} code=${answer#* }
      ;;
  esac
  case $status in
    0) reason="answered HTTP $code" ;;
    28 | 124 | 143) reason="no answer within $CHECK_TIMEOUT_SECONDS s (exit $status)" ;;
    *) reason="$reason (exit $status)" ;;
  esac
  [ "$CHECK_RESOLVE" = dns ] || lookup=''    # an address is not looked up
  [ "$status" -ne 0 ] || return 0
  code=''
  # curl writes 0 for what it has not come to.
  [ "$lookup" != 0.000000 ] || lookup=''
  [ "$connect" != 0.000000 ] || connect=''
  [ "$first" != 0.000000 ] || first=''
  return 1
}

# ask_nc NUMBER: like ask_curl, of the times only the whole one.
ask_nc() {
  uptime_us
  asked=$us
  # Braces, so that a command that cannot be started is told as the cause.
  answer=$({
    printf 'GET /hostname HTTP/1.0\r\nHost: deployment-%s\r\n\r\n' "$1" |
      timeout "$((CHECK_TIMEOUT_SECONDS + 1))" nc -w "$CHECK_TIMEOUT_SECONDS" "$host" "$CHECK_PORT"
  } 2>&1)
  status=$?
  uptime_us
  if [ -n "$asked" ] && [ -n "$us" ]; then
    # Less than a step is counted as one: at most 10 ms.
    us=$((us - asked))
    [ "$us" -ge 10000 ] || us=10000
    fraction=$((1000000 + us % 1000000))
    total=$((us / 1000000)).${fraction#1}
  fi
  reason=${answer%%
*}
  reason=${reason%"$carriage_return"}
  case $status in
    124 | 143) answer='' ;;    # busybox' shell says that it was terminated
  esac
  case $answer in
    HTTP/1.[01]' '[1-9][0-9][0-9]*)
      code=${reason#HTTP/?.? }
      code=${code%"${code#???}"}
      reason="answered $reason"
      return 0
      ;;
    HTTP/*) reason="answered $reason" ;;
    '') reason="no answer within $CHECK_TIMEOUT_SECONDS s (exit $status)" ;;
    *) reason="$reason (exit $status)" ;;
  esac
  return 1
}

# request NUMBER: one GET; fails with the cause in reason. Sets code and the times in seconds, empty where not known.
request() {
  lookup='' connect='' first='' total='' code=''
  host_of "$1" || return 1
  if [ "$has_curl" = yes ]; then
    ask_curl "$1" || return 1
  else
    ask_nc "$1" || return 1
  fi
  [ "$code" = 200 ]
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

# count_times: of a request that was answered; how long one took that failed says nothing about the Service's speed.
count_times() {
  tally_code "${code:-none}"
  [ -n "$code" ] || return 0
  microseconds "$lookup" && tally name_lookup "$us"
  microseconds "$connect" && tally connect "$us"
  microseconds "$first" && tally first_byte "$us"
  microseconds "$total" && tally total "$us"
}

# told: sets words to the code and the times of a request.
told() {
  words="code ${code:-none}"
  [ -z "$lookup" ] || words="$words, name lookup $lookup s"
  [ -z "$connect" ] || words="$words, connect $connect s"
  [ -z "$first" ] || words="$words, first byte $first s"
  [ -z "$total" ] || words="$words, total $total s"
}

check() {
  requests=$((requests + 1))
  request "$1"
  answered=$?
  told
  count_times
  if [ "$answered" -eq 0 ]; then
    say "round $round: deployment-$1 at $host: $words"
    return
  fi
  failures=$((failures + 1))
  reason=$(printf '%.200s' "$reason")
  failure="round $round: deployment-$1 at ${host:-?}: $reason"
  say "$failure ($words)"
  if [ "$failures" -le "$max_repeated" ]; then
    repeated="$repeated$failure
"
  else
    last_failure=$failure
  fi
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

if command -v curl >/dev/null; then has_curl=yes; else has_curl=no; fi
say "$CHECK_COUNT rounds over $CHECK_SERVICES Services in $NAMESPACE, by $CHECK_RESOLVE"
began=$(date +%s)
each warm_up
round=1
while [ "$round" -le "$CHECK_COUNT" ]; do
  [ "$round" -eq 1 ] || pause "$CHECK_INTERVAL_SECONDS"
  each check
  round=$((round + 1))
done
end "$requests requests, $failures failed${failed_services:+:}$(printf '%.600s' "$failed_services")"
[ "$failures" -eq 0 ]
