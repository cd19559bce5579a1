#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# What `meson install` puts where, and that the installed programs run: install_test.bash BUILD_DIR
set -euo pipefail

build=$1
scratch=$(mktemp -d)
daemon=
# shellcheck disable=SC2317  # called by the trap
clean_up() {
  [[ -z $daemon ]] || kill "$daemon" 2>/dev/null || true
  rm -rf "$scratch"
}
trap clean_up EXIT
stage=$scratch/stage
DESTDIR=$stage meson install -C "$build" --no-rebuild --quiet
prefix=$stage$(meson introspect "$build" --buildoptions | python3 -c '
import json, sys
print(next(option["value"] for option in json.load(sys.stdin) if option["name"] == "prefix"))')

for file in sbin/morpheusd bin/morpheusctl share/man/man1/morpheusctl.1 share/man/man8/morpheusd.8 \
  share/man/man5/morpheusd.json.5 share/man/man3/morpheus.3 share/bash-completion/completions/morpheusctl.bash \
  share/zsh/site-functions/_morpheusctl share/fish/vendor_completions.d/morpheusctl.fish \
  share/morpheus/grafana/morpheus.json share/morpheus/kubernetes/morpheus.yaml share/morpheus/prometheus/morpheus.rules.yml lib/systemd/system/morpheusd.service; do
  [[ -s $prefix/$file ]] || { echo "not installed: $file" && exit 1; }
done

PATH=$prefix/bin:$prefix/sbin:$PATH
morpheusd --backend fake --socket "$scratch/m.sock" --log-level off &
daemon=$!
for _ in $(seq 300); do
  ! morpheusctl --socket "$scratch/m.sock" status >"$scratch/status" 2>/dev/null || break
  sleep 0.1
done
grep -q '^mode *observer' "$scratch/status"
cmp <(morpheusctl completion zsh) "$prefix/share/zsh/site-functions/_morpheusctl"
if command -v man >/dev/null; then
  man -l "$prefix/share/man/man1/morpheusctl.1" 2>/dev/null | grep -q 'inspect and control morpheusd'
fi
echo "installed, and runs"
