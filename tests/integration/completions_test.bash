#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The shells themselves complete morpheusctl's command line: completions_test.bash MORPHEUSCTL.
# Shells that are not installed are named and left out, and the exit status is then 77 (skipped).
set -euo pipefail

morpheusctl=$(readlink -f "$1")
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cd "$scratch"
PATH=$(dirname "$morpheusctl"):$PATH
failed=0 skipped=0

expect() {
  local shell=$1 line=$2 wanted=$3 got=$4 word
  for word in $wanted; do
    if ! grep -qwFe "$word" <<<"$got"; then
      printf '%s: "%s" does not offer %s but: %s\n' "$shell" "$line" "$word" "$(tr '\n' ' ' <<<"$got")"
      failed=1
    fi
  done
}

expect_nothing() {
  local shell=$1 line=$2 got=$3
  if [[ -n ${got//[[:space:]]/} ]]; then
    printf '%s: "%s" offers %s\n' "$shell" "$line" "$got"
    failed=1
  fi
}

in_bash() {
  bash --norc -c '
    source <(morpheusctl completion bash)
    line=$1
    read -ra COMP_WORDS <<<"$line"
    [[ $line != *" " ]] || COMP_WORDS+=("")
    COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
    _morpheusctl
    printf "%s\n" "${COMPREPLY[@]}"' _ "$1"
}

# The arguments of compadd stand in for the list that zsh would draw on a terminal.
in_zsh() {
  zsh -f -c '
    compdef() { }
    compadd() { shift; print -l -- "$@" }
    _files() { print -- a-file }
    source <(morpheusctl completion zsh)
    line=$1
    words=(${=line})
    [[ $line != *" " ]] || words+=("")
    CURRENT=${#words}
    _morpheusctl' _ "$1"
}

in_fish() {
  fish --no-config -c 'morpheusctl completion fish | source; complete -C $argv[1]' "$1"
}

touch a-file
for shell in bash zsh fish; do
  if ! command -v "$shell" >/dev/null; then
    echo "$shell is not installed"
    skipped=1
    continue
  fi
  expect "$shell" 'morpheusctl ' 'status mode workers clients tunables events top stats metrics trace doctor dump completion' \
    "$("in_$shell" 'morpheusctl ')"
  expect "$shell" 'morpheusctl mode ' 'observer enforced' "$("in_$shell" 'morpheusctl mode ')"
  expect "$shell" 'morpheusctl tunables ' 'get set' "$("in_$shell" 'morpheusctl tunables ')"
  expect "$shell" 'morpheusctl top --sort ' 'cpu wait escalated' "$("in_$shell" 'morpheusctl top --sort ')"
  expect "$shell" 'morpheusctl completion ' 'bash zsh fish' "$("in_$shell" 'morpheusctl completion ')"
  expect "$shell" 'morpheusctl events --' '--follow --count --timeout' "$("in_$shell" 'morpheusctl events --')"
  expect "$shell" 'morpheusctl trace --output ' 'a-file' "$("in_$shell" 'morpheusctl trace --output ')"
  expect "$shell" 'morpheusctl --socket ' 'a-file' "$("in_$shell" 'morpheusctl --socket ')"
  for line in 'morpheusctl top --interval ' 'morpheusctl events --pid ' 'morpheusctl blame --seconds ' 'morpheusctl trace --seconds '; do
    expect_nothing "$shell" "$line" "$("in_$shell" "$line")"
  done
done
((failed == 0)) || exit 1
((skipped == 0)) || exit 77
