#!/bin/sh
# Builds the library with cargo, and the manual pages from the header, and lays both out in one directory, named as they
# are installed. install.sh and cmake/ stand on this; people call those.
#
#   libshmrr.so.X.Y.Z  libshmrr.so.X  libshmrr.so    unless the target links all statically, as Rust's musl targets do
#   libshmrr.a                                       without debugging information, which is most of it
#   man/man3/*.3  man/man7/shmrr.7
#   values                                           for the shell: what describe.sh must know
#
# A file that is the same as before is left alone, so that nothing is linked anew because of it.
set -eu

usage() {
  cat <<'END'
usage: packaging/build.sh --out DIR [--target TRIPLE] [--target-dir DIR] [--strip PROGRAM]
       packaging/build.sh --values [--target TRIPLE]

  --out DIR         where the files are laid out
  --values          builds nothing, and prints what would stand in the file values
  --target TRIPLE   what Rust calls the platform to build for; this machine's if none is given
  --target-dir DIR  where cargo works; where it always does if none is given
  --strip PROGRAM   the strip for that platform

Environment: CARGO, RUSTC, CARGOFLAGS (more arguments for cargo build, such as --offline).
END
}

fail() {
  printf 'shmrr: %s\n' "$1" >&2
  exit 1
}

root=$(cd "$(dirname "$0")/.." && pwd)
cargo=${CARGO:-cargo}
rustc=${RUSTC:-rustc}
out='' target='' target_dir='' strip='' values_only=''
while [ $# -gt 0 ]; do
  case $1 in
    --help) usage && exit ;;
    --values) values_only=yes && shift && continue ;;
    --out | --target | --target-dir | --strip) [ $# -gt 1 ] || fail "$1 needs a value" ;;
    *) usage >&2 && exit 2 ;;
  esac
  case $1 in
    --out) out=$2 ;;
    --target) target=$2 ;;
    --target-dir) target_dir=$2 ;;
    --strip) strip=$2 ;;
  esac
  shift 2
done
[ -n "$out$values_only" ] || { usage >&2 && exit 2; }
for tool in "$cargo" "$rustc"; do
  command -v "$tool" >/dev/null || fail "no $tool: Rust's tools are needed to build the library (https://rustup.rs)"
done

version=$(sed -n 's/^version = "\(.*\)"$/\1/p' "$root/Cargo.toml" | head -n 1)
# The version's first number is the soname's: tests/c/linkage.rs.
abi=${version%%.*}

# What rustc would have every static library linked with, except what compilers link by themselves: libc, and libgcc_s,
# which a program that is linked statically can't have.
native() {
  temporary=$(mktemp -d)
  trap 'rm -rf "$temporary"' EXIT
  printf '' | "$rustc" - --crate-type staticlib --crate-name probe ${target:+--target "$target"} \
    --print native-static-libs -o "$temporary/libprobe.a" 2>&1 |
    sed -n 's/.*native-static-libs://p' | tr ' ' '\n' | sed '/^$/d; /^-lgcc_s$/d; /^-lc$/d' | tr '\n' ' ' | sed 's/ $//'
}

links_shared() {
  ! "$rustc" --print cfg ${target:+--target "$target"} | grep -q 'target_feature="crt-static"'
}

values() {
  printf "version='%s'\nabi='%s'\nshared='%s'\nnative='%s'\n" \
    "$version" "$abi" "$(links_shared && echo yes)" "$(native)"
}

if [ -n "$values_only" ]; then
  values
  exit
fi
mkdir -p "$out"
out=$(cd "$out" && pwd)

# The path of the library with that ending, as cargo told it.
built() {
  sed -n '/"reason":"compiler-artifact"/{/"staticlib"/s/.*"filenames":\["\([^]]*\)"\].*/\1/p;}' "$out/messages" |
    tail -n 1 | sed 's/","/\n/g' | sed -n "/\.$1\$/p"
}

# Copies a file if it differs from what is there.
lay() {
  cmp -s "$1" "$2" || { cp "$1" "$2.lay" && chmod 644 "$2.lay" && mv "$2.lay" "$2"; }
}

build() {
  set -- build -p shmrr --lib --release --locked --message-format=json-render-diagnostics
  [ -z "$target" ] || set -- "$@" --target "$target"
  [ -z "$target_dir" ] || set -- "$@" --target-dir "$target_dir"
  # CARGOFLAGS is a list of words.
  # shellcheck disable=SC2086
  (cd "$root" && "$cargo" "$@" ${CARGOFLAGS:-}) >"$out/messages" || fail 'cargo could not build the library'
}

same_age() {
  [ -f "$2" ] && [ -z "$(find "$1" -newer "$2")$(find "$2" -newer "$1")" ]
}

libraries() {
  archive=$(built a)
  shared=$(built so)
  # Those of another version, or of none.
  find "$out" -name 'libshmrr.so*' ! -name "libshmrr.so${shared:+.$version}" -exec rm {} +
  [ -f "$archive" ] || fail "cargo names no static library that is there: '$archive'"
  # Of the same age, not older: cargo may bring an earlier one back.
  if [ ! -f "$out/libshmrr.a" ] || ! same_age "$archive" "$out/archive-age"; then
    cp "$archive" "$out/archive"
    strip_archive "$out/archive"
    mv "$out/archive" "$out/libshmrr.a"
    chmod 644 "$out/libshmrr.a"
    touch -r "$archive" "$out/archive-age"
  fi
  if [ -n "$shared" ]; then
    lay "$shared" "$out/libshmrr.so.$version"
    ln -sf "libshmrr.so.$version" "$out/libshmrr.so.$abi"
    ln -sf "libshmrr.so.$abi" "$out/libshmrr.so"
  fi
}

# Rust's own objects bring their bitcode as well, for its compiler only.
strip_archive() {
  for program in $strip ${target:+"${target%%-*}-linux-gnu-strip"} strip llvm-strip; do
    if command -v "$program" >/dev/null &&
      "$program" --strip-debug -R .llvmbc -R .llvmcmd "$1" 2>/dev/null; then
      return
    fi
  done
  printf 'shmrr: no strip for libshmrr.a, which keeps its debugging information\n' >&2
}

# A program of its own that needs nothing but rustc, and runs on this machine whatever the library is built for.
manual() {
  if [ ! -f "$out/man/man7/shmrr.7" ] ||
    [ -n "$(find "$root/packaging/man" "$root/include" "$root/Cargo.toml" -type f -newer "$out/man/man7/shmrr.7")" ]; then
    rm -rf "$out/man"
    "$rustc" --edition 2024 -o "$out/write-man" "$root/packaging/man/main.rs"
    "$out/write-man" "$root/include/shmrr.h" "$version" "$out/man"
  fi
}

build
libraries
manual
values >"$out/values.new"
lay "$out/values.new" "$out/values"
rm -f "$out/values.new"
