# How `.ci/run` runs, counts and repeats: steps, runs of Vitest, and what goes on beside others. Whoever reads it in has
# the folder `results`, and calls `run_again` and `finish` at the end.

passed=0
failed=0
reports=0
begun=$SECONDS
begun_name='the beginning'
failures="$results/failures.txt"
unsteady="$results/unsteady.txt"
# Runs of Vitest with failures: their names, reports, commands, and whether they needed all services.
again_names=() again_reports=() again_commands=() again_services=()
# So many files with failures are no mood of the machine; running them again would take long, and say nothing new.
most_again=12
# Seconds that running them again may take.
longest_again=1500

# Begins a step, and says how long the one before it took.
begin() {
  took
  begun=$SECONDS begun_name="$1"
  echo
  echo "== $1"
}

# Remembers how long a step took that is worth a line.
took() {
  [ $((SECONDS - begun)) -lt 10 ] || printf '%8d  %s\n' $((SECONDS - begun)) "$begun_name" >> "$results/steps.txt"
}

# A step that passes or fails as a whole.
step() {
  local name="$1"
  shift
  begin "$name"
  if "$@"; then passed=$((passed + 1)); else failed=$((failed + 1)); note "$name"; fi
}

# Says that something failed, here and once more at the end, where it is read.
note() {
  echo "FAILED: $1" | tee -a "$failures"
}

finish() {
  took
  echo
  echo 'What took longest, in seconds:'
  sort -rn "$results/steps.txt" 2>/dev/null
  node .ci/slowest.mjs "$results" 2>/dev/null
  echo "It took $((SECONDS / 60)) min $((SECONDS % 60)) s."
  echo
  if [ -s "$unsteady" ]; then
    echo 'unsteady: failed once, passed when run again alone. Each of these is a fault, of the test or of what it tests:'
    cat "$unsteady"
    echo
  fi
  cat "$failures" 2>/dev/null
  echo "$passed passed, $failed failed"
  [ "$failed" -eq 0 ]
  exit
}

# A command of Vitest that writes a report.
vitest_to() {
  local report="$1"
  shift
  MORAINE_REPORT="$report" "$@" --reporter=default --reporter=./.ci/reporter.mjs
}

# Runs and counts tests with Vitest; a run that reports nothing, or ran nothing, counts as one failure. Files with failures
# are counted when they have run again.
vitest_step() {
  local name="$1" report="$results/$((++reports)).json" status
  shift
  begin "$name"
  vitest_to "$report" "$@"
  status=$?
  LATER="$report.again" vitest_count "$name" "$report" "$status"
  if [ -s "$report.again" ]; then
    again_names+=("$name") again_reports+=("$report") again_commands+=("$(printf '%q ' "$@")")
    again_services+=("${MORAINE_SERVICES:-}")
    echo "To be run again: $(tr '\n' ' ' < "$report.again")"
  fi
}

# Counts what a report says; the fourth is the report of a first run, whose failures it has once more.
vitest_count() {
  local name="$1" report="$2" status="$3" first="${4:-}" said good bad skipped
  said=$(UNSTEADY="$unsteady" node .ci/counts.mjs "$report" "$status" "$first") || said="0 1 0"
  read -r good bad skipped <<<"$said"
  if [ "$bad" -ne 0 ]; then note "$name: $bad of them
$(tail -n +2 <<<"$said")"; fi
  if [ "$skipped" -ne 0 ] && [ "${MORAINE_SERVICES:-}" = required ]; then
    note "$name: $skipped tests were skipped although all services are required"
    bad=$((bad + skipped))
  fi
  passed=$((passed + good))
  failed=$((failed + bad))
}

# Runs each file with failures once more, one after the other, with the same seeds and with nothing beside it: what fails
# again has failed, what passes is counted as passed, and listed as unsteady by `finish`.
run_again() {
  local i report files count MORAINE_SERVICES
  count=$(cat "$results"/*.again 2>/dev/null | wc -l)
  [ "$count" -le "$most_again" ] || echo "$count files have failures: none of them is run again."
  for i in "${!again_names[@]}"; do
    report="${again_reports[i]}"
    export MORAINE_SERVICES="${again_services[i]}"
    if [ "$count" -gt "$most_again" ]; then
      vitest_count "${again_names[i]}" "$report" 1
      continue
    fi
    mapfile -t files < "$report.again"
    begin "once more, alone: ${again_names[i]}"
    eval "vitest_to $results/again-$i.json timeout -k 10 $longest_again ${again_commands[i]}" '"${files[@]}"' --no-file-parallelism
    vitest_count "${again_names[i]}, once more" "$results/again-$i.json" $? "$report"
  done
}

# Runs a command beside others; what it says follows them, and is counted then. Storms wait much, and have no end of their own.
beside() {
  local id="$1"
  shift
  "$@" > "$results/$id.txt" 2>&1
  echo $? > "$results/$id.status"
}

# The same with a run of Vitest.
vitest_beside() {
  local id="$1"
  shift
  beside "$id" vitest_to "$results/$id.json" "$@"
}

# Shows what a step beside others said; one that never ended has no status, and failed.
show() {
  cat "$results/$1.txt"
  return "$(cat "$results/$1.status" 2>/dev/null || echo 1)"
}

# Shows and counts a run of Vitest that was beside others. It is not run again: what a storm finds is about data.
count_beside() {
  echo
  echo "== $2"
  show "$1"
  vitest_count "$2" "$results/$1.json" $?
}
