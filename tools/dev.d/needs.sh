# What each verb needs, how to look for it, and how to get it. Read by tools/dev.
#
# Each thing is looked for where it will be used (by the compiler, by pkg-config, on PATH), never in a
# package manager's lists: it may have come from a module, Spack or conda.

program() { command -v "$1"; }

module() { pkg-config --exists "$1"; }

meson_1() {
  [ "$(printf '%s\n' 1.0 "$(meson --version)" | sort -V | head -n 1)" = 1.0 ]
}

# On Debian, Meson asks dpkg-dev for the folder of libraries. Without an answer it takes lib64, where neither
# the loader of programs nor pkg-config nor CMake looks.
multiarch_folders() { [ ! -e /etc/debian_version ] || program dpkg-architecture; }

links() {  # COMPILER HEADER FLAGS...: the header is there, and a program links
  local cxx=$1 header=$2
  shift 2
  printf '#if !__has_include(<%s>)\n#error\n#endif\nint main() {}\n' "$header" |
    $cxx -std=c++20 ${CPPFLAGS:-} ${CXXFLAGS:-} -x c++ - -o /dev/null ${LDFLAGS:-} "$@"
}

# The Python that has NumPy, as tests/meson.build finds it.
python_with_numpy() {
  local candidate
  for candidate in python3 /usr/bin/python3; do
    if $candidate -c 'import numpy' 2>/dev/null; then echo "$candidate"; return; fi
  done
  return 1
}

# What an extension of that Python needs.
python_headers() {
  "$(python_with_numpy)" -c 'import os, sysconfig
exit(not os.path.exists(sysconfig.get_path("include") + "/Python.h"))'
}

python_has() { "$(python_with_numpy)" -c "import $1"; }

need() {  # APT DNF ZYPPER CHECK...
  local apt=$1 dnf=$2 zypper=$3
  shift 3
  if "$@" >/dev/null 2>&1; then return; fi
  case " ${missing_apt[*]} " in *" $apt "*) return ;; esac
  missing_apt+=("$apt") missing_dnf+=("$dnf") missing_zypper+=("$zypper")
}

needs_build() {
  local cxx=${1:-${CXX:-g++}}
  need g++ gcc-c++ gcc-c++ links "$cxx" span
  need g++ gcc-c++ gcc-c++ links "$cxx" omp.h -fopenmp
  need meson meson meson meson_1
  need ninja-build ninja-build ninja program ninja
  need pkg-config pkgconf-pkg-config pkgconf-pkg-config program pkg-config
  need libhwloc-dev hwloc-devel hwloc-devel module 'hwloc >= 2.3'
  need libnuma-dev numactl-devel libnuma-devel links "$cxx" numa.h -lnuma
}

needs_command() {
  need libcli11-dev cli11-devel cli11-devel links "${1:-${CXX:-g++}}" CLI/CLI.hpp
  need libfmt-dev fmt-devel fmt-devel module fmt
  need nlohmann-json3-dev json-devel nlohmann_json-devel module nlohmann_json
}

needs_run() {
  needs_build
  needs_command
}

needs_clang() {
  need clang clang clang links clang++ span
  need libomp-dev libomp-devel libomp-devel links clang++ omp.h -fopenmp
  need libclang-rt-dev compiler-rt clang links clang++ span -fsanitize=fuzzer-no-link,address
}

needs_test() {
  needs_build g++
  needs_command g++
  needs_clang
  needs_google_benchmark
  need liblmdb-dev lmdb-devel lmdb-devel module lmdb
  need doctest-dev doctest-devel doctest-devel links g++ doctest/doctest.h
  need python3-numpy python3-numpy python3-numpy python_with_numpy
  need python3-dev python3-devel python3-devel python_headers
  need cmake cmake cmake program cmake
  need dpkg-dev dpkg-dev dpkg-dev multiarch_folders
  need llvm llvm llvm program llvm-cov
  need numactl numactl numactl program numactl
  need valgrind valgrind valgrind program valgrind
  need qemu-system-x86 qemu-system-x86-core qemu-x86 program qemu-system-x86_64
  need busybox-static busybox busybox-static program busybox
}

needs_bench() {
  needs_build
  needs_google_benchmark
  need libfmt-dev fmt-devel fmt-devel module fmt
}

needs_google_benchmark() {
  need libbenchmark-dev google-benchmark-devel benchmark-devel module benchmark
}

needs_compare() {  # PyTorch too, if it is here
  needs_bench
  need libeigen3-dev eigen3-devel eigen3-devel module eigen3
  need libboost-dev boost-devel libboost_headers-devel links "${CXX:-g++}" boost/lockfree/spsc_queue.hpp
  need libtbb-dev tbb-devel tbb-devel module tbb
  need python3-numpy python3-numpy python3-numpy python_with_numpy
  need python3-matplotlib python3-matplotlib python3-matplotlib python_has matplotlib
  need likwid likwid likwid program likwid-bench
  need libmimalloc-dev mimalloc-devel mimalloc-devel links "${CXX:-g++}" cstdlib -lmimalloc
  need libjemalloc-dev jemalloc-devel jemalloc-devel links "${CXX:-g++}" cstdlib -ljemalloc
}

needs_check() {
  needs_test
  need git git git program git
  need clang-format clang-tools-extra clang-tools program clang-format
  need clang-tidy clang-tools-extra clang-tools program clang-tidy
}

needs_sanitize() {
  needs_test
  need libomp-dev libomp-devel libomp-devel archer
  need llvm llvm llvm program llvm-symbolizer
}

archer() { [ -f "$(archer_library)" ]; }

archer_library() {  # beside clang's own libraries
  realpath "$(clang++ -print-resource-dir)/../../libarcher.so"
}

look_for() {  # VERB
  missing_apt=() missing_dnf=() missing_zypper=()
  "needs_$1"
}

# Sees to it that what VERB needs is here, or says what is missing and stops.
provide() {  # VERB
  look_for "$1"
  if [ ${#missing_apt[@]} = 0 ]; then return; fi
  local as_root=()
  if [ "$(id -u)" != 0 ]; then as_root=(sudo); fi
  if ! program apt-get >/dev/null || { [ ${#as_root[@]} = 1 ] && ! program sudo >/dev/null; }; then
    die 3 "$(name_packages "$1")"
  fi
  echo "installing what is missing: ${missing_apt[*]}"
  mkdir -p build
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive sh -ec '
    apt-get update
    apt-get install --yes --no-install-recommends "$@"' sh "${missing_apt[@]}" >build/install.log 2>&1 ||
    { tail -n 20 build/install.log >&2; die 3 "installing failed. $(name_packages "$1")"; }
  hash -r
  look_for "$1"
  if [ ${#missing_apt[@]} != 0 ]; then die 3 "installed, but still not found. $(name_packages "$1")"; fi
}

name_packages() {  # VERB
  cat <<TEXT
tools/dev $1 lacks some of what it needs. These packages provide it:
  Debian, Ubuntu   apt-get install ${missing_apt[*]}
  Fedora, RHEL     dnf install ${missing_dnf[*]}
  SUSE             zypper install ${missing_zypper[*]}
or load them as modules, by Spack or conda: pkg-config and the compiler must find them.
TEXT
}
