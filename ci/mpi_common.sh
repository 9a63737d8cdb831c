# Sourced by ci/mpi and by the parts that it starts in a machine of their own.
# shellcheck shell=bash disable=SC2034  # the constants are the callers'

# OpenMPI refuses root, and more ranks than CPUs, unless it is told.
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
export OMPI_MCA_rmaps_base_oversubscribe=1 OMPI_MCA_mpi_yield_when_idle=1
# Ranks share CPUs here.
export OMP_WAIT_POLICY=passive

BUILD=$(realpath --canonicalize-missing "${VOXMARK_BUILD_DIR:-build/ci}")
readonly BUILD
readonly VOXMARK=$BUILD/bin/voxmark
# Ranks add and pass on arrays of many sizes, and look at the sums: 36 MB to and from each of 2 ranks.
readonly CHECK=$BUILD/bin/collectives_check

# compile_for MPI COMPILER TARGET SOURCE OPTION...: says what is missing.
compile_for() {
  local mpi=$1 compiler=$2
  command -v "$compiler" >/dev/null || fail "no $compiler: ci/mpi install brings $mpi"
  "$compiler" -O2 -I. "${@:5}" -o "$3" "$4" ||
    fail "$compiler compiles no $4 (its reason stands above)"
}

# prepare FOLDER: voxmark and the check, and in the folder the plugin for each MPI, and wire.MPI, which
# measures what lies between two ranks.
prepare() {
  [[ -n ${VOXMARK_BUILD_DIR:-} ]] || build_preset ci voxmark collectives_check
  local program mpi
  for program in "$VOXMARK" "$CHECK"; do
    [[ -x $program ]] || fail "no $program: $BUILD was configured without MPI, or is not built"
  done
  for mpi in openmpi mpich; do
    compile_for $mpi mpicxx.$mpi "$1/$mpi.so" benches/ranks/mpi_plugin.cpp \
      -std=c++17 -shared -fPIC -DOMPI_SKIP_MPICXX -DMPICH_SKIP_MPICXX
    compile_for $mpi mpicc.$mpi "$1/wire.$mpi" ci/mpi_wire.c
  done
}

# sweep_flags LAUNCHER REPORT [STEPS]: of a sweep that takes half a minute of 2 cores, most of it the reference's.
sweep_flags() {
  flags=(--backend onednn --image 32 --filters 8 --threads 1 --steps "${3:-5}" --warmup 1 --taint-repeats 0
    --launcher "$1" --no-cache --overwrite --out "$2")
  (($(nproc) > 1)) || flags+=(--oversubscribe)
}

# check_sweep REPORT CASES [HOST...]: also shows what voxmark said where something is wrong.
check_sweep() {
  ci/mpi_report.py "$@" || fail "a sweep of ranks went wrong: $(tail -n 20 "$1.said")"
}

# ---- In a machine of its own, whose mounts its processes alone see.

readonly OWN=/run/voxmark

own_machine() {
  mount -t tmpfs tmpfs /run
  mkdir "$OWN"
}

# replace FILE: by standard input.
replace() {
  cat >"$OWN/own-${1##*/}"
  mount --bind "$OWN/own-${1##*/}" "$1"
}
