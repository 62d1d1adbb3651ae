# Configuring, building and testing by Meson, each build in its own folder. Read by tools/dev.

die() {  # CODE MESSAGE
  echo "$2" >&2
  exit "$1"
}

usage() {
  die 2 "$1; \`tools/dev help\` says what there is"
}

# The builds by name: NAME-gcc is by g++, NAME-clang by clang++.
compiler_of() {
  if [[ $1 = *-clang ]]; then echo clang++; else echo g++; fi
}

options_of() {
  if [ "$1" = run ]; then  # what somebody waits for: the fewest seconds until the first answer
    echo -Dtools=enabled -Dtests=disabled -Dbench=disabled
    echo -Doptimization=2 -Dquick=true -Ddefault_library=static -Dprecompiled_headers=true
    return
  fi
  local sanitized='-Dtools=disabled -Dbench=disabled --buildtype=debugoptimized -Db_lundef=false'
  echo -Dwerror=true -Dtests=enabled
  case $1 in  # assertions hold in test-gcc; test-clang has the library as users get it
    test-gcc)
      echo -Dtools=enabled -Dbench=enabled -Dquick=true -Doptimization=2 -Ddebug=false -Db_ndebug=false ;;
    test-clang) echo -Dtools=disabled -Dbench=disabled --buildtype=release ;;
    check-clang) echo -Dtools=enabled -Dbench=disabled --buildtype=release ;;
    asan-*) echo $sanitized -Db_sanitize=address,undefined ;;
    tsan-*) echo $sanitized -Db_sanitize=thread ;;
  esac
}

# What a build makes: everything, or what the suites need that suites_of() names.
targets_of() {
  case $1 in
    run | test-gcc) ;;
    *) echo tests_under_every_compiler ;;
  esac
}

# Runs a command whose output matters only if it fails; all of it stays in build/NAME.log.
quietly() {  # NAME COMMAND...
  local name=$1
  shift
  if ! "$@" >>"build/$name.log" 2>&1; then
    tail -n 60 "build/$name.log" >&2
    return 1
  fi
}

# Shows how far a build is, by the lines that ninja writes with NINJA_STATUS='[%f/%t] ': on a terminal one
# line that is rewritten, elsewhere a line for each tenth.
progress() {
  local line done total text seconds tenth=0 begin=$SECONDS
  while IFS= read -r line; do
    [[ $line =~ ^\[([0-9]+)/([0-9]+)\] ]] || continue
    done=${BASH_REMATCH[1]} total=${BASH_REMATCH[2]}
    if [ "$done" = 0 ] || [ "$total" = 1 ]; then continue; fi  # ninja first makes its own list anew
    seconds=$((SECONDS - begin + 1))
    text="  $done of $total, $((done / seconds)).$((done * 10 / seconds % 10)) a second"
    text+=", $((seconds * (total - done) / done)) s left"
    if [ -t 1 ]; then
      printf '\r%s\033[K' "$text"
    elif [ $((done * 10 / total)) -gt $tenth ]; then
      echo "$text"
      tenth=$((done * 10 / total))
    fi
  done
  if [ -t 1 ]; then printf '\r\033[K'; fi
}

# Runs ninja quietly, and shows how far it is.
watched_ninja() {  # NAME TARGET...
  local name=$1
  shift
  if ! NINJA_STATUS='[%f/%t] ' ninja -C "build/$name" "$@" 2>&1 | tee -a "build/$name.log" | progress; then
    tail -n 60 "build/$name.log" >&2
    return 1
  fi
}

configure() {  # NAME COMPILER OPTIONS...
  local name=$1 cxx=$2 folder=build/$1
  shift 2
  mkdir -p build
  : >"build/$name.log"
  local line="$cxx $*"
  if [ -f "$folder/build.ninja" ] && [ "$line" = "$(cat "$folder/configured-by")" ]; then return; fi
  rm -rf "$folder"
  echo "configuring build/$name by $cxx"
  CXX=$cxx quietly "$name" meson setup "$folder" "$@" || return 1
  echo "$line" >"$folder/configured-by"
}

build() {  # NAME COMPILER OPTIONS...
  configure "$@" || return 1
  local first=''
  if [ ! -f "build/$1/.ninja_log" ]; then first=', some minutes the first time'; fi
  echo "building build/$1$first"
  watched_ninja "$1" $(targets_of "$1")
}

build_named() {  # NAME, which says compiler and options
  build "$1" "$(compiler_of "$1")" $(options_of "$1")
}

# Which of Meson's suites a build runs.
suites_of() {  # NAME KIND
  case $1-$2 in
    *-peers | *-long) echo --suite "$2" ;;
    test-gcc-*) echo --no-suite long --no-suite peers ;;
    test-clang-*) echo --suite unit --suite compile ;;
    *) echo --suite unit --suite sanitize ;;
  esac
}

# Builds, tests, and leaves the verdict to the tally, which reads the logs that Meson writes.
test_builds() {  # BUILD... -- KIND [NAME...]
  local builds=() failed=() name runner
  while [ "$1" != -- ]; do builds+=("$1"); shift; done
  local kind=$2
  shift 2
  export OMP_WAIT_POLICY=${OMP_WAIT_POLICY:-passive}  # tests run side by side: none should spin
  for name in "${builds[@]}"; do
    rm -f "build/$name/meson-logs/testlog.json"
    if build_named "$name"; then
      runner=$(if [[ $name = tsan-* ]]; then fixed_addresses; fi)
      $runner meson test -C "build/$name" --no-rebuild --print-errorlogs \
        $(suites_of "$name" "$kind") "$@" || true
    else
      failed+=(--failed "the build of $name")
    fi
  done
  python3 tools/dev.d/tally.py "${failed[@]}" "${builds[@]/#/build/}"
}

# clang 14's thread sanitizer cannot live with the widest randomisation of addresses that newer kernels have.
fixed_addresses() {
  if setarch --addr-no-randomize true; then echo setarch --addr-no-randomize; fi
}

clang_format() {  # FILE...
  if [ $# != 0 ]; then clang-format --dry-run -Werror "$@"; fi
}

clang_tidy() {  # FILE...: those that a build by clang++ knows how to compile
  configure check-clang clang++ $(options_of check-clang) || return 1
  local file database=build/check-clang/compile_commands.json
  for file in "$@"; do
    if grep -q "/$file\"" "$database"; then echo "$file"; fi
  done | xargs -r -n 1 -P "$(nproc)" clang-tidy --quiet -p build/check-clang
}

sources() {
  git ls-files --cached --others --exclude-standard '*.hpp' '*.cpp'
}

changed() {  # since this branch left the main one, committed or not
  local base
  base=$(git merge-base HEAD origin/main 2>/dev/null || git merge-base HEAD main)
  sources | grep -Fx -f <(git diff --name-only "$base"; git ls-files --others --exclude-standard) || true
}
