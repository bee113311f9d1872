#!/bin/sh
# Builds the library and installs it with all that programs need to be built against it. The same files as by CMake; see
# docs/INSTALL.md.
set -eu

usage() {
  cat <<'END'
usage: ./install.sh [--prefix DIR] [--libdir DIR] [--includedir DIR] [--mandir DIR] [--target TRIPLE]
       ./install.sh --build [--target TRIPLE]

  --prefix DIR      where to install; /usr/local if none is given
  --libdir DIR      libraries, in the prefix unless absolute; lib if none is given
  --includedir DIR  the header; include if none is given
  --mandir DIR      manual pages; share/man if none is given
  --target TRIPLE   what Rust calls the platform to build for; this machine's if none is given
  --build           only build: then a second run that is given --built installs, and needs no Rust, as for root
  --built           install what --build has built

Environment: DESTDIR (put before every path that is written to), CARGO, RUSTC, CARGOFLAGS, CARGO_TARGET_DIR.
END
}

root=$(cd "$(dirname "$0")" && pwd)
prefix=/usr/local libdir=lib includedir=include mandir=share/man target='' build=yes install=yes
while [ $# -gt 0 ]; do
  case $1 in
    --*=*)
      option=${1%%=*} value=${1#*=}
      shift
      set -- "$option" "$value" "$@"
      ;;
  esac
  case $1 in
    --help) usage && exit ;;
    --build) install='' && shift && continue ;;
    --built) build='' && shift && continue ;;
    --prefix | --libdir | --includedir | --mandir | --target)
      [ -n "${2:-}" ] || { printf 'install.sh: %s needs a value\n' "$1" >&2 && exit 2; }
      ;;
    *) usage >&2 && exit 2 ;;
  esac
  case $1 in
    --prefix) prefix=${2%/} ;;
    --libdir) libdir=${2%/} ;;
    --includedir) includedir=${2%/} ;;
    --mandir) mandir=${2%/} ;;
    --target) target=$2 ;;
  esac
  shift 2
done
case ${prefix:-/} in
  /*) ;;
  *) prefix=$PWD/$prefix ;;
esac

# A directory as a path from the root, with what is to stand before it.
place() {
  case $1 in
    /*) printf '%s%s' "${DESTDIR:-}" "$1" ;;
    *) printf '%s%s/%s' "${DESTDIR:-}" "$prefix" "$1" ;;
  esac
}

put() {
  into=$1
  shift
  install -d -m 755 "$into"
  for file in "$@"; do
    if [ -h "$file" ]; then ln -sf "$(readlink "$file")" "$into/${file##*/}"; else install -m 644 "$file" "$into/"; fi
  done
}

out=${CARGO_TARGET_DIR:-$root/target}/install${target:+-$target}
if [ -n "$build" ]; then
  "$root/packaging/build.sh" --out "$out" ${target:+--target "$target"}
elif [ ! -f "$out/values" ]; then
  printf 'install.sh: nothing is built in %s: ./install.sh --build\n' "$out" >&2
  exit 1
fi
[ -n "$install" ] || exit 0

describe=$(mktemp -d)
trap 'rm -rf "$describe"' EXIT
cp "$out/values" "$describe"
"$root/packaging/describe.sh" --out "$describe" --prefix "$prefix" --libdir "$libdir" --includedir "$includedir"
put "$(place "$libdir")" "$out"/libshmrr*
put "$(place "$libdir")/pkgconfig" "$describe"/*.pc
put "$(place "$libdir")/cmake/shmrr" "$describe"/*.cmake
put "$(place "$includedir")" "$root"/include/*
for section in man3 man7; do
  put "$(place "$mandir")/$section" "$out/man/$section"/*
done
# The loader looks there, once its cache is made anew.
case $prefix in
  /usr | /usr/local) [ -n "${DESTDIR:-}" ] || [ ! -w /etc/ld.so.cache ] || ldconfig ;;
esac
printf 'shmrr is installed in %s\n' "$(place "$libdir")"
