# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2154  # cache, apt_dir and here come from kernel
#
# The part of tests/vm/kernel that builds a kernel which no archive has in binary form: Linux 6.12 with
# sched_ext, from Debian's own source package. kernel sources it.

readonly source_series=6.12
readonly source_package=linux-source-$source_series
# bookworm-backports keeps it for Debian 12, trixie has it as its own kernel
readonly source_suites=(bookworm-backports trixie)
readonly build_tools=(bc bison flex gcc make libelf-dev libssl-dev pahole xz-utils zstd)

ensure_build_tools() {
  local name missing=()
  for name in "${build_tools[@]}"; do
    dpkg-query -W -f '${db:Status-Status}' "$name" 2>/dev/null | grep -qx installed || missing+=("$name")
  done
  ((${#missing[@]})) || return 0
  ((EUID == 0)) || fail "building Linux $source_series needs the packages ${missing[*]}; run this once as root"
  note "installing ${missing[*]}"
  DEBIAN_FRONTEND=noninteractive apt-get -y -q -o Acquire::Retries=3 install --no-install-recommends \
    "${missing[@]}" >>"$apt_dir/log" 2>&1 </dev/null || fail "apt could not install them; log: $apt_dir/log"
}

# Leaves the source package, as a .deb, in the directory.
download_source() {
  local directory=$1 suite
  for suite in "${source_suites[@]}"; do
    use_suites "$suite"
    if (cd "$directory" && private_apt apt-get download "$source_package" >>"$apt_dir/log" 2>&1); then
      return
    fi
  done
  fail "cannot download $source_package from ${source_suites[*]}; log: $apt_dir/log"
}

# An option that something else keeps off would only show itself as a puzzling failure of a test.
check_config() {
  local wanted=$1 config=$2 refused
  refused=$(grep -E '^CONFIG_' "$wanted" | grep -vxFf "$config" | paste -sd ' ') || true
  [[ -z $refused ]] || fail "Linux $source_series does not take $refused ($wanted)"
}

# Builds the kernel and leaves its bare image in the cache. About ten minutes on two idle CPUs.
build_from_source() {
  local work=$cache/source log=$cache/source.log version tree started=$SECONDS jobs
  mkdir -p "$apt_dir"
  ensure_build_tools
  rm -rf "$work"
  mkdir -p "$work"
  note "fetching $source_package"
  download_source "$work"
  version=$(dpkg-deb -f "$work"/*.deb Version)
  version=${version%%-*}
  dpkg-deb --fsys-tarfile "$work"/*.deb | tar -x -O --wildcards "*/$source_package.tar.xz" | tar -x -J -C "$work"
  tree=$(echo "$work"/linux-source-*/)
  jobs=$(nproc)
  note "building Linux $version with $jobs jobs, once; it takes about ten minutes on two CPUs (log: $log)"
  cat "$tree/kernel/configs/tiny-base.config" "$here/kernel_$source_series.config" >"$work/wanted"
  KCONFIG_ALLCONFIG=$work/wanted make -C "$tree" allnoconfig >"$log" 2>&1 || fail "make allnoconfig failed; log: $log"
  check_config "$here/kernel_$source_series.config" "$tree/.config"
  make -C "$tree" -j "$jobs" KBUILD_BUILD_USER=morpheus KBUILD_BUILD_HOST=morpheus bzImage >>"$log" 2>&1 ||
    fail "the build failed: $(grep -m 1 -E 'error:|Error ' "$log" || true); log: $log"
  mv "$tree/arch/x86/boot/bzImage" "$kernels/$version"
  rm -rf "$work"
  note "built Linux $version in $((SECONDS - started)) s"
}
