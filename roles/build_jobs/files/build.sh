# shellcheck shell=sh
# A build of seven phases, as the build_jobs role's pods run it: sh -c "$(cat build.sh)". POSIX sh, busybox included.
#
# Kubernetes reads a Job's args before the shell does and takes two dollar signs for one, so the shell's own process id
# cannot be written here; nor may a command substitution be named like one of the container's variables.
#
# Reads from the environment:
#   BUILD_PHASES       one entry a phase, in order: name:load:shortest:longest, lengths in milliseconds; load is one of
#                      idle (waits), cpu (burns CPU) and compile (burns CPU, and holds BUILD_PROCESSES processes)
#   BUILD_PROCESSES    live processes of this container while compiling: this shell, the timer, CPU workers, sleepers
#   BUILD_CPU_WORKERS  busy loops while compiling; in a cpu phase half of them, rounded up; 0 burns none
#   BUILD_MEMORY_MIB   memory that this shell holds while compiling, in MiB; 0 holds none
#   BUILD_SEED         with NAMESPACE, JOB_NAME and JOB_COMPLETION_INDEX it decides the phases' lengths
#
# Ends with 0; with 64 where a setting is unusable; with 75 where a process could not be started (EX_TEMPFAIL of
# sysexits.h), saying so; with 143 after SIGTERM, at once.
set -u

here='start'    # where a failure happened, for the last line
forking=''      # what is being started right now: a shell that cannot fork ends on the spot, and only the trap sees it
children=''
started=0
held=0
most=1          # processes, at the fullest moment
ended=''

say() {
  forking='date'
  now=$(date -u +%Y-%m-%dT%H:%M:%SZ)
  forking=''
  printf '%s %s\n' "$now" "$*"
}

refuse() {
  ended=yes
  printf 'refused: %s\n' "$*" >&2
  exit 64
}

# KILL, because a child that was forked a moment ago still has this shell's trap, and would lose a TERM.
end_children() {
  # A signal between the fork and the next line finds a child that is in no list yet.
  [ -z "$forking" ] || children="$children ${!:-}"
  children=${children# }
  if [ -n "$children" ]; then
    # shellcheck disable=SC2086  # a list of process ids
    kill -KILL $children 2>/dev/null   # some have ended by themselves
    # shellcheck disable=SC2086
    wait $children 2>/dev/null
    children=''
  fi
}

# Runs at every end of the shell, its own errors included. Nothing in here starts a process.
at_exit() {
  status=$?
  trap '' TERM
  end_children
  if [ -z "$ended" ] && [ -n "$forking" ]; then
    printf 'fork failed: resource temporarily unavailable: phase %s, starting %s, with %s of %s processes started\n' \
      "$here" "$forking" "$started" "$BUILD_PROCESSES"
    status=75
  fi
  exit "$status"
}

trap at_exit EXIT
trap 'ended=yes; printf "terminated in phase %s\n" "$here"; exit 143' TERM

require_number() {
  case $2 in
    '' | *[!0-9]*) refuse "$1 is '$2'; a whole number is needed" ;;
  esac
}

# cksum is the one hash that POSIX has; it seeds a Lehmer generator (multiplier 48271, modulus 2^31 - 1).
seed_random() {
  forking='cksum'
  state=$(printf '%s/%s/%s/%s' "$BUILD_SEED" "$NAMESPACE" "$JOB_NAME" "$JOB_COMPLETION_INDEX" | cksum)
  state=${state%% *}
  case $state in
    '' | *[!0-9]*) exit 75 ;;    # the fork that failed was that of the substitution's own pipeline
  esac
  forking=''
  state=$((state % 2147483646 + 1))
}

# random_ms SHORTEST LONGEST: sets ms.
random_ms() {
  state=$((state * 48271 % 2147483647))
  ms=$(($1 + state * ($2 - $1 + 1) / 2147483647))
}

# as_seconds MS: sets seconds, "1.050" or, where sleep takes whole seconds only, the next whole one.
as_seconds() {
  if [ "$fractions" = yes ]; then
    seconds=$((1000 + $1 % 1000))
    seconds=$(($1 / 1000)).${seconds#1}
  else
    seconds=$((($1 + 999) / 1000))
  fi
}

# start_sleeper SECONDS, start_cpu_worker SECONDS: one process more, its id in $!.
start_sleeper() {
  forking='a sleeper'
  sleep "$1" &
  children="$children $!"
  forking=''
  started=$((started + 1))
}

# The kernel ends a busy loop after so many seconds of CPU, whatever becomes of this shell.
start_cpu_worker() {
  forking='a CPU worker'
  (
    # shellcheck disable=SC3045  # -t is not POSIX's, but busybox, dash and bash all have it
    ulimit -t "$1"
    i=0
    while :; do i=$(((i * 1103515245 + 12345) % 2147483648)); done
  ) &
  children="$children $!"
  forking=''
  started=$((started + 1))
}

# hold_memory, free_memory: text of one MiB each, in as many variables. No process is started for it.
hold_memory() {
  [ "$BUILD_MEMORY_MIB" -gt 0 ] || return 0
  chunk='kubestress------'
  doubled=0
  while [ "$doubled" -lt 16 ]; do    # 16 bytes, doubled 16 times
    chunk=$chunk$chunk
    doubled=$((doubled + 1))
  done
  while [ "$held" -lt "$BUILD_MEMORY_MIB" ]; do
    held=$((held + 1))
    eval "held_$held=\$chunk"
  done
  unset chunk
}

free_memory() {
  while [ "$held" -gt 0 ]; do
    unset "held_$held"
    held=$((held - 1))
  done
}

# hold LOAD MS: keep the load up for so long. In "compile" exactly BUILD_PROCESSES processes live from the moment the
# last one has started: this shell, the timer, the CPU workers and, for the rest, sleepers.
hold() {
  case $1 in
    idle) workers=0 sleepers=0 ;;
    cpu) workers=$(((BUILD_CPU_WORKERS + 1) / 2)) sleepers=0 ;;
    compile) workers=$BUILD_CPU_WORKERS sleepers=$((BUILD_PROCESSES - 2 - BUILD_CPU_WORKERS)) ;;
    *) refuse "BUILD_PHASES: load '$1'; allowed are idle, cpu and compile" ;;
  esac
  bound=$(($2 / 1000 + 60))    # so that nothing outlives a shell that was killed hard
  started=1
  # What is started after it shares its pages, which count once.
  [ "$1" != compile ] || hold_memory
  while [ "$sleepers" -gt 0 ]; do
    start_sleeper "$bound"
    sleepers=$((sleepers - 1))
  done
  # Sleepers first: the busy loops would take the CPU that starting them needs.
  while [ "$workers" -gt 0 ]; do
    start_cpu_worker "$bound"
    workers=$((workers - 1))
  done
  as_seconds "$2"
  start_sleeper "$seconds"
  [ "$started" -le "$most" ] || most=$started
  wait "$!"    # a foreground command would hold back the trap for SIGTERM
  end_children
  free_memory
}

require_number BUILD_MEMORY_MIB "$BUILD_MEMORY_MIB"
require_number BUILD_PROCESSES "$BUILD_PROCESSES"
require_number BUILD_CPU_WORKERS "$BUILD_CPU_WORKERS"
if [ "$((BUILD_CPU_WORKERS + 2))" -gt "$BUILD_PROCESSES" ]; then
  refuse "BUILD_CPU_WORKERS is $BUILD_CPU_WORKERS; at most BUILD_PROCESSES - 2 = $((BUILD_PROCESSES - 2)) fit"
fi
JOB_COMPLETION_INDEX=${JOB_COMPLETION_INDEX:-0}
seed_random
fractions=yes
forking='sleep'
sleep 0.001 2>/dev/null || fractions=no
forking=''
[ "$fractions" = yes ] || say "sleep takes whole seconds only: lengths are rounded up"

# shellcheck disable=SC2086  # a list of entries
set -- $BUILD_PHASES
count=$#
number=0
say "build $JOB_NAME in $NAMESPACE, pod ${POD_NAME:-unknown}, index $JOB_COMPLETION_INDEX: $count phases"
forking='date'
began=$(date +%s)
forking=''
for entry in "$@"; do
  number=$((number + 1))
  here=${entry%%:*}
  rest=${entry#*:}
  load=${rest%%:*}
  rest=${rest#*:}
  require_number "BUILD_PHASES, shortest length of $here" "${rest%%:*}"
  require_number "BUILD_PHASES, longest length of $here" "${rest#*:}"
  random_ms "${rest%%:*}" "${rest#*:}"
  say "phase $number/$count $here ($load): $ms ms"
  hold "$load" "$ms"
done
here='end'
forking='date'
now=$(date +%s)
forking=''
say "build $JOB_NAME in $NAMESPACE done: $((now - began)) s in all, at most $most processes, $BUILD_MEMORY_MIB MiB held"
ended=yes
