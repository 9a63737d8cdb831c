# Sourced by ci/quickstart and ci/test: install what is missing, configure, build.
# Every function does nothing, quickly, when there is nothing to do.
# shellcheck shell=bash disable=SC2034  # the package lists are the callers'

# ocl-icd-opencl-dev: libdnnl-dev's CMake configuration asks for OpenCL and only recommends it.
readonly BUILD_PACKAGES=(cmake ninja-build g++ libdnnl-dev ocl-icd-opencl-dev libeigen3-dev
  libbenchmark-dev libpfm4-dev libhwloc-dev nlohmann-json3-dev libfmt-dev libcli11-dev
  libvalijson-dev zlib1g-dev libssl-dev libpng-dev)
# libomp-dev: OpenMP of clang's builds. libclang-rt-dev: libFuzzer and TSan of clang.
# chromium: opens the page that voxmark report writes. Open MPI: cases of several ranks.
readonly TEST_PACKAGES=(libgtest-dev libgmock-dev clang libclang-rt-dev libomp-dev
  shellcheck python3-venv chromium libopenmpi-dev openmpi-bin)
readonly TOOL_PACKAGES=(python3-venv)

# With ccache, a second clone of the same sources compiles nothing again.
export CCACHE_BASEDIR=$PWD CCACHE_NOHASHDIR=true

say() { printf '==> %s\n' "$*"; }

fail() {
  printf '%s: %s\n' "${0##*/}" "$*" >&2
  exit 1
}

is_installed() {
  [[ "$(dpkg-query --show --showformat='${db:Status-Status}' "$1" 2>/dev/null)" == installed ]]
}

# The file that tells which system this is; another one in tests.
readonly OS_RELEASE=${VOXMARK_OS_RELEASE:-/etc/os-release}

# is_supported: whether these scripts are known to work on this system; else says so, in one line.
is_supported() {
  local ID=unknown VERSION_ID="" PRETTY_NAME="an unknown system"
  # shellcheck source=/dev/null
  [[ ! -r $OS_RELEASE ]] || source "$OS_RELEASE"
  [[ ! "$ID $VERSION_ID" =~ ^"debian "1[23]$ ]] || return 0
  say "Supported are Debian 12 and 13, and this is $PRETTY_NAME: what follows may fail." \
    "The Debian packages that are needed stand at the top of ci/common.sh."
  return 1
}

# install_packages PACKAGE...: Debian packages, only those that are missing.
install_packages() {
  is_supported || true
  if ! command -v apt-get >/dev/null || ! command -v dpkg-query >/dev/null; then
    say "No apt-get: nothing is installed, what is there is used."
    return
  fi
  local package missing=()
  for package in "$@"; do
    is_installed "$package" || missing+=("$package")
  done
  if ((${#missing[@]} == 0)); then
    say "Debian packages: all $# are there."
    return
  fi

  local as_root=()
  if ((EUID != 0)); then
    command -v sudo >/dev/null ||
      fail "installing needs root, and there is no sudo. As root: apt-get install ${missing[*]}"
    as_root=(sudo)
  fi
  local apt=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=120)
  local update=("${apt[@]}" update -o APT::Update::Error-Mode=any)
  local install=("${apt[@]}" install --yes --no-install-recommends "${missing[@]}")

  say "Installing Debian packages: ${missing[*]}"
  local updated=no
  if ! apt-cache show "${missing[@]}" >/dev/null 2>&1; then
    "${update[@]}" || fail "apt-get update failed (its reason stands above). Is there a network?"
    updated=yes
  fi
  if ! "${install[@]}"; then
    [[ "$updated" == no ]] ||
      fail "apt-get could not install ${missing[*]} (its reason stands above)."
    say "apt-get failed; once more with new package lists"
    "${update[@]}" || fail "apt-get update failed (its reason stands above). Is there a network?"
    "${install[@]}" || fail "apt-get could not install ${missing[*]} (its reason stands above)."
  fi
}

# make_environment FOLDER REQUIREMENTS...: a Python environment with what these files name. Debian's own
# interpreter: python3-venv belongs to it, whatever else stands first in PATH.
make_environment() {
  /usr/bin/python3 tools/reports/environment.py "$@" || exit
}

# build_preset PRESET [TARGET...]: configures when that is due, then builds.
build_preset() {
  local preset=$1
  shift
  local build=build/$preset options=()
  if [[ ! -f $build/build.ninja || CMakePresets.json -nt $build/build.ninja ]]; then
    if command -v ccache >/dev/null; then
      options+=(-DCMAKE_CXX_COMPILER_LAUNCHER=ccache)
    fi
    say "Configuring preset $preset"
    cmake --preset "$preset" "${options[@]}" ||
      fail "cmake could not configure preset $preset (its reason stands above)."
  fi
  say "Building preset $preset in $build"
  local targets=()
  (($# == 0)) || targets=(--target "$@")
  cmake --build --preset "$preset" --parallel "$(nproc)" "${targets[@]}" ||
    fail "preset $preset does not build (the compiler's reason stands above)."
}
