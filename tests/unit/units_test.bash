#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Lets systemd judge the units: units_test.bash UNIT_DIR MORPHEUSD. Exit status 77 (skipped) where there is no
# systemd-analyze. The service is checked with the built program in place of the installed one.
set -euo pipefail

units=$1
program=$(readlink -m "$2")
if ! command -v systemd-analyze >/dev/null; then
  echo "no systemd-analyze on this machine"
  exit 77
fi
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
sed "s,@SBINDIR@/morpheusd,$program," "$units/morpheusd.service.in" >"$scratch/morpheusd.service"
cp "$units/morpheusd.socket" "$scratch"
# some complaints do not change the exit status: any output is a failure
complaints=$(systemd-analyze verify --man=no "$scratch"/morpheusd.{service,socket} 2>&1) || true
printf '%s' "$complaints"
[[ -z $complaints ]]

# The hardening: 10.0 is a service without any, 0.0 one that can do nothing. What loads BPF comes to 0.9 or 1.1.
security=(systemd-analyze security --offline=true "$scratch/morpheusd.service")
level=$("${security[@]}" | sed -nE 's/.*Overall exposure level[^0-9]*([0-9.]+).*/\1/p')
echo "exposure level $level"
awk -v level="$level" 'BEGIN { exit !(level != "" && level < 2) }'

# One line more or less hardly changes the level: what matters most is looked up.
exposed=$("${security[@]}" --json=short | jq -r '.[] | select((.exposure // "0" | tonumber) > 0) | .name')
[[ $(grep '^CapabilityBoundingSet=' <<<"$exposed") == 'CapabilityBoundingSet=~CAP_BPF' ]] || {
  echo "more capabilities than CAP_BPF and CAP_PERFMON: $exposed"
  exit 1
}
for setting in User=/DynamicUser= NoNewPrivileges= ProtectSystem= ProtectHome= PrivateTmp= PrivateDevices= PrivateNetwork= \
  ProtectKernelTunables= ProtectControlGroups= MemoryDenyWriteExecute= RestrictNamespaces=~user RestrictAddressFamilies=~AF_PACKET; do
  if grep -qxF -- "$setting" <<<"$exposed"; then
    echo "$setting is not what it was"
    exit 1
  fi
done
