#!/bin/sh
# Writes what tells other build systems where the library is, beside what build.sh has laid out: shmrr.pc and
# shmrr-static.pc for pkg-config, and a package for CMake. Where the directories are below the prefix, all of it finds
# the library from where it lies itself, so that an installed copy can be moved.
#
# usage: packaging/describe.sh --out DIR --prefix DIR --libdir DIR --includedir DIR
#
# A libdir and an includedir that are relative are below the prefix.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
out='' prefix='' libdir='' includedir=''
while [ $# -gt 1 ]; do
  case $1 in
    --out) out=$2 ;;
    --prefix) prefix=${2%/} ;;
    --libdir) libdir=${2%/} ;;
    --includedir) includedir=${2%/} ;;
    *) break ;;
  esac
  shift 2
done
if [ $# -ne 0 ] || [ -z "$out" ] || [ -z "$libdir" ] || [ -z "$includedir" ]; then
  sed -n 's/^# usage/usage/p' "$0" >&2
  exit 2
fi
# What build.sh found: version, abi, shared, native.
version='' abi='' shared='' native=''
# shellcheck source=/dev/null
. "$out/values"

# A directory as seen from the prefix, or as it is if it is not below that.
below_prefix() {
  case $1 in
    "$prefix"/*) printf '%s' "${1#"$prefix"/}" ;;
    *) printf '%s' "$1" ;;
  esac
}

# The way from a relative directory to where it begins.
way_up() {
  printf '%s' "$1" | sed 's|//*|/|g; s|[^/][^/]*|..|g'
}

# A directory in a file where `$1` stands for the prefix.
placed() {
  case $2 in
    /*) printf '%s' "$2" ;;
    *) printf '%s/%s' "$1" "$2" ;;
  esac
}

# The prefix as seen from a directory in libdir; `$1` is what stands for that directory in the file.
prefix_from() {
  case $libdir in
    /*) printf '%s' "$prefix" ;;
    *) printf '%s/%s' "$1" "$(way_up "$libdir/$2")" ;;
  esac
}

escaped() {
  printf '%s' "$1" | sed 's/[&|\\]/\\&/g'
}

write() {
  sed -e "s|@version@|$(escaped "$version")|g" -e "s|@abi@|$(escaped "$abi")|g" \
    -e "s|@native@|$(escaped "$native")|g" \
    -e "s|@native_names@|$(escaped "$(printf '%s' "$native" | sed 's/-l//g; s/ /;/g')")|g" \
    -e "s|@prefix@|$(escaped "$2")|g" -e "s|@libdir@|$(escaped "$3")|g" -e "s|@includedir@|$(escaped "$4")|g" \
    "$here/$1.in" >"$out/$1.new"
  mv "$out/$1.new" "$out/$1"
}

libdir=$(below_prefix "$libdir")
includedir=$(below_prefix "$includedir")
for name in shmrr.pc shmrr-static.pc; do
  # The braces are pkg-config's and CMake's.
  # shellcheck disable=SC2016
  write "$name" "$(prefix_from '${pcfiledir}' pkgconfig)" \
    "$(placed '${prefix}' "$libdir")" "$(placed '${prefix}' "$includedir")"
done
for name in shmrr-config.cmake shmrr-config-version.cmake; do
  # shellcheck disable=SC2016
  write "$name" "$(prefix_from '${_shmrr_here}' cmake/shmrr)" \
    "$(placed '${_shmrr_prefix}' "$libdir")" "$(placed '${_shmrr_prefix}' "$includedir")"
done
# Where there is no shared library, what links with one links with the archive.
[ -n "$shared" ] || sed 's|shmrr-static|shmrr|' "$out/shmrr-static.pc" >"$out/shmrr.pc"
