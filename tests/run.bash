# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2154  # root and build come from dev
#
# The part of ./dev that runs the tests and counts them one by one; dev sources it.

child=''

# A test program that hangs is ended together with everything it started.
end_child() { [[ -z $child ]] || kill -- "-$child" 2>/dev/null || true; }

# Both reporters write to standard error: it is not buffered, so results that precede a crash are not lost.
readonly reporters=(-r automake::out=%stderr -r console::out=%stderr)

# What a Catch2 program wrote of each test that failed, or else the last words of whatever it was.
tell_why() {
  local lines
  lines=$(sed 's/\x1b\[[0-9;]*m//g' "$2" |
    awk '/:test-result: FAIL/ && said ~ /FAILED:/ { printf "%s", said } /:test-result:/ { said = ""; next } { said = said $0 "\n" }' | tail -n 100)
  printf '\n=== %s (log: %s)\n%s\n' "$1" "$2" "${lines:-$(tail -n 100 "$2")}"
}

# Takes the results from a Catch2 program's log, and adds "PASS|FAIL|SKIP label: test" lines to the list of all.
account() {
  local label=$1 status=$2 log=$3 seconds=$((SECONDS - $4)) mine=$3.counted failed skipped
  sed -nE "s,^.*:test-result: (PASS|FAIL|SKIP) (.*)\$,\1 $label: \2,p
    s,^.*:test-result: XFAIL (.*)\$,PASS $label: \1,p; s,^.*:test-result: (XPASS|ERROR) (.*)\$,FAIL $label: \2,p" \
    "$log" >"$mine"
  failed=$(grep -c '^FAIL' "$mine") || true
  skipped=$(grep -c '^SKIP' "$mine") || true
  # An end that the results do not explain is one failed test. Catch2 ends with 4 when all tests were skipped,
  # and has reported the test that was running when a signal other than SIGKILL ended the program.
  case $status:$failed:$skipped in
    0:* | 4:0:[1-9]*) ;;
    124:* | 125:* | 137:* | *:0:*)
      failed=$((failed + 1))
      printf 'FAIL %s: ended with status %d after %d s\n' "$label" "$status" "$seconds" >>"$mine"
      ;;
  esac
  printf '%s: %d tests in %d s, %d failed, %d skipped\n' "$label" "$(wc -l <"$mine")" "$seconds" "$failed" "$skipped"
  ((failed == 0)) || tell_why "$label" "$log" >>"$results.why"
  cat "$mine" >>"$results"
}

run_logged() {
  local label=$1 log=$build/logs/${1//[ \/]/-}.log status=0 started=$SECONDS
  shift
  # job control gives the program a process group of its own, which end_child can end
  set -m
  timeout --kill-after=10 600 "$@" </dev/null >"$log.out" 2>"$log" &
  child=$!
  set +m
  wait "$child" 2>/dev/null || status=$?
  child=''
  account "$label" "$status" "$log" "$started"
}

run_native() { run_logged "$@" "${reporters[@]}"; }

# The tests of the Python package that belong to a part: always with the interpreter that it was built for.
run_python() {
  local part=$1 tests=$root/tests/$1/python
  [[ -d $tests && -d $build/sdk/python/morpheus ]] || return 0
  # shellcheck disable=SC2016  # the inner shell expands it: what failed is told beside the results
  PYTHONPATH=$build/sdk/python:$root/tests/python PYTHONDONTWRITEBYTECODE=1 \
    run_logged "$part python" sh -c 'exec "$@" >&2' sh \
    /usr/bin/python3 -m pytest -q -p result_lines -p no:cacheprovider "$tests"
}

run_kernel() {
  local kernel=$1 image label log status=0 started=$SECONDS cpus=2,sockets=2
  # one machine whose CPUs share their caches; the others' have a last-level cache each
  [[ $kernel != newest ]] || cpus=2
  if ! image=$("$root/tests/vm/kernel" path "$kernel"); then
    # a build server has to have the kernels; elsewhere the network may just be away
    if [[ -n ${CI:-} ]]; then echo FAIL; else echo SKIP; fi | sed "s/$/ kernel $kernel: cannot be fetched/" >>"$results"
    return
  fi
  [[ $kernel != newest ]] || run_suspend
  started=$SECONDS
  label="kernel ${image##*/}"
  log=$build/logs/${label// /-}.log
  echo "$label: booting (log: $log)"
  # each kill costs two starts of the daemon, which an emulated machine beside others takes its time for
  "$root/tests/vm/run" --kernel "${image##*/}" --smp "$cpus" --timeout $((2400 + 30 * MORPHEUS_CRASHES)) -- env MORPHEUS_CRASHES="$MORPHEUS_CRASHES" \
    /build/tests/kernel/kernel_tests '~suspend:*' "${reporters[@]}" \
    2>&1 >"$log.out" | tee "$log" | sed -un 's/^.*:test-result:/ /p' || status=$?
  cp "$build/vm/boot.log" "$log.boot" 2>/dev/null || true
  account "$label" "$status" "$log" "$started"
}

# A machine that sleeps (ACPI S3) and is woken by its clock. Its virtio ports do not survive that, so what the test
# says goes to the serial line, and the machine ends without a result.
run_suspend() {
  local log=$build/logs/suspend.log status=0 started=$SECONDS
  rm -f "$build/vm/boot.log" # an older machine's results must not count
  "$root/tests/vm/run" --append hpet=disable --timeout 300 -- sh -c "MORPHEUS_MAY_SUSPEND=1 tests/kernel/kernel_tests \
    ${reporters[*]} --colour-mode none suspend:* >/dev/ttyS0 2>&1; echo b >/proc/sysrq-trigger" >"$log.out" 2>&1 || true
  cp "$build/vm/boot.log" "$log" 2>/dev/null || cp "$log.out" "$log"
  grep -q ':test-result:' "$log" || status=125
  account suspend "$status" "$log" "$started"
}

# Boots a machine of its own with the packages of this tree; see tests/system/run.
run_system() {
  local log=$build/logs/system.log status=0 started=$SECONDS
  need_packages mmdebstrap dpkg-dev debhelper fakeroot lintian
  "$root/packaging/build" >"$log.packages" || {
    echo "FAIL system: the packages do not build" >>"$results"
    return
  }
  "$root/tests/system/contents" "$build/package" >"$build/logs/packages.log" 2>&1 || status=$?
  account system "$status" "$build/logs/packages.log" "$started"
  status=0
  echo "system: booting (log: $log)"
  "$root/tests/system/run" newest "$build/package" "$build/tests/system/system_app" "$log" 2>&1 | tee "$log" |
    sed -un 's/^.*:test-result:/ /p' || status=$?
  account system "$status" "$log" "$started"
}

# sanitized KIND PROGRAM...: these tests in a build of their own with these sanitizers.
sanitized() {
  local kind=$1 dir=$build-${1%%,*} program
  shift
  # With what the sanitizers add to the code g++ takes variables in Boost for uninitialized, and tests the address of a
  # thread-local variable for null by flags that are gone once the linker has made its "add" a "lea".
  [[ -f $dir/build.ninja ]] || meson setup "$dir" "$root" -Dwerror=false -Db_sanitize="$kind" -Db_lundef=false -Dpython= \
    -D{c,cpp}_args=-fno-sanitize=null >&2
  ninja -C "$dir" daemon/morpheusd daemon/ctl/morpheusctl "${@/#/tests/}" >&2
  for program; do
    MORPHEUS_BUILD_DIR=$dir UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1 \
      TSAN_OPTIONS=suppressions=$root/tests/unit/sdk/tsan.supp:halt_on_error=1 \
      run_native "sanitize ${kind%%,*} $program" "$dir/tests/$program"
  done
}

run_sanitize() {
  sanitized address,undefined unit/daemon_tests unit/proto_tests unit/sdk_tests unit/runtime_tests integration/control_tests \
    integration/sdk_tests
  sanitized thread unit/sdk_tests unit/runtime_tests unit/asio_tests integration/sdk_tests
}

run_fuzz() {
  local log=$build/logs/fuzz.log status=0 started=$SECONDS
  need_packages libclang-rt-19-dev
  echo "fuzz: building, then a few seconds of each target (log: $log)"
  "$root/tests/fuzz/run" --smoke --seconds 5 >"$log" 2>&1 || status=$?
  account fuzz "$status" "$log" "$started"
}

# The documents' commands that build and measure, as a newcomer types them: in a copy of the source tree.
run_documents() {
  local scratch log=$build/logs/documents.log block name
  scratch=$(mktemp -d)
  if ! git clone -q --shared "$root" "$scratch/tree" 2>"$log"; then
    echo "SKIP documents: this is no clone" >>"$results"
    return
  fi
  # with what is not committed yet
  (cd "$root" && git ls-files -z --cached --others --exclude-standard | tar -c --null --ignore-failed-read -T - 2>/dev/null) |
    tar -x -C "$scratch/tree"
  "$root/tests/commands.py" "$root" dev "$scratch/blocks"
  echo "documents: running their commands in a copy of the tree (log: $log)"
  : >"$log"
  for block in "$scratch"/blocks/*; do
    name=$(sed -n '1s/^# //p' "$block")
    echo "=== $name" >>"$log"
    if (cd "$scratch/tree" && unset MORPHEUS_BUILD_DIR && timeout --kill-after=10 3600 sh -e "$block") >>"$log" 2>&1 </dev/null; then
      echo "PASS $name"
    else
      echo "FAIL $name"
    fi
  done | tee -a "$results" | sed 's/^/  /'
  rm -rf "$scratch"
}

# The tests registered with meson that are no Catch2 programs (those are run for their single results).
run_registered() {
  local part=$1 names started=$SECONDS log=$build/meson-logs/registered.json
  names=$(meson introspect "$build" --tests | python3 -c '
import json, os, sys
for test in json.load(sys.stdin):
    kind = next((k for k in ("integration", "kernel") if any(k in s for s in test["suite"])), "unit")
    if kind == sys.argv[1] and not os.path.basename(test["cmd"][0]).endswith("_tests"):
        print(test["name"])' "$part")
  [[ -n $names ]] || return 0
  xargs -d '\n' meson test -C "$build" --no-rebuild --logbase registered --print-errorlogs <<<"$names" >&2 || true
  python3 -c '
import json, sys
for line in open(sys.argv[1]):
    test = json.loads(line)
    word = {"OK": "PASS", "EXPECTEDFAIL": "PASS", "SKIP": "SKIP"}.get(test["result"], "FAIL")
    print(word, sys.argv[2] + " " + test["name"])' "$log" "$part" >>"$results"
  printf '%s: %d other tests in %d s\n' "$part" "$(wc -l <<<"$names")" $((SECONDS - started))
}

run_part() {
  local part=$1 kernel program found=''
  shift
  case $part in
    fuzz | sanitize | system | documents)
      "run_$part"
      return
      ;;
  esac
  for program in "$build/tests/$part"/*_tests; do
    [[ -x $program ]] || continue
    found=yes
    case $part in
      kernel) run_native "kernel native" "$program" '[observer]' ;;
      *) run_native "$part $(basename "$program")" "$program" ;;
    esac
  done
  [[ -n $found ]] || echo "FAIL $part: no test program in $build/tests/$part" >>"$results"
  run_registered "$part"
  run_python "$part"
  [[ $part == kernel && -n $found ]] || return 0
  for kernel in "$@"; do
    run_kernel "$kernel"
  done
}

run_tests() {
  local parts=() kernels='newest second' part failed crashes=4
  help_if_asked "$@" <<EOF
usage: ./dev test [--all | unit|integration|fuzz|kernel|sanitize|system|documents...] [--kernels "K K"|all]

Builds and runs these tests (default: the first four, --all adds the others) and closes with the line "N passed,
N failed, N skipped"; exit status 1 if any failed. fuzz runs each fuzz target for a few seconds (./dev fuzz for long).
sanitize builds again with AddressSanitizer and UndefinedBehaviorSanitizer, and with ThreadSanitizer for the library.
system builds the packages and puts a Debian 13 with systemd through installing, using, crashing, upgrading and removing them
in a virtual machine; that takes about twenty minutes. documents runs those commands of README and docs/ that build and
measure, in a copy of this tree, which takes about as long. Kernel tests run on this machine as far as it can, and whole in virtual machines with the kernels
"$kernels", or those of --kernels (see ./dev vm --help); --all takes all from 6.12 on. Logs: BUILD/logs.
EOF
  while (($#)); do
    case $1 in
      unit | integration | fuzz | kernel | sanitize | system | documents) parts+=("$1") && shift ;;
      --all) parts=(unit integration fuzz kernel sanitize system documents) crashes=100 kernels=all && shift ;;
      --kernels)
        need_value "$@"
        kernels=$2
        shift 2
        ;;
      *) bad_usage "unexpected argument $1" ;;
    esac
  done
  [[ $kernels != all ]] || kernels='newest 7.0 6.19 second 6.17 6.16 6.12'
  ((${#parts[@]})) || parts=(unit integration fuzz kernel)
  export MORPHEUS_CRASHES=$crashes
  compile >&2
  results=$build/logs/results
  : >"$results"
  : >"$results.why"
  trap end_child EXIT
  trap 'exit 130' INT TERM
  for part in "${parts[@]}"; do
    # shellcheck disable=SC2086  # a list of kernels
    run_part "$part" $kernels
  done
  cat "$results.why" # last, where a log that is cut in the middle still shows it
  grep -E '^(FAIL|SKIP)' "$results" | sort || true
  failed=$(grep -c '^FAIL' "$results") || true
  printf '%d passed, %d failed, %d skipped\n' "$(grep -c '^PASS' "$results")" "$failed" "$(grep -c '^SKIP' "$results")"
  ((failed == 0))
}
