#!/bin/sh
# Makes packages for Debian and what is made from it: libshmrr0, what programs need to run, and libshmrr-dev, what they
# need to be built. Needs dpkg-deb, and nothing else that Debian packages are usually built with.
set -eu

usage() {
  cat <<'END'
usage: packaging/deb.sh [--out DIR] [--target TRIPLE] [--built]

  --out DIR        where the packages are put; here if none is given
  --target TRIPLE  what Rust calls the platform to build for; this machine's if none is given
  --built          package what ./install.sh --build has built

Environment: DEBFULLNAME and DEBEMAIL (the maintainer), SOURCE_DATE_EPOCH, and what install.sh reads.
END
}

root=$(cd "$(dirname "$0")/.." && pwd)
out=. target='' built=''
while [ $# -gt 0 ]; do
  case $1 in
    --help) usage && exit ;;
    --built) built=yes && shift && continue ;;
    --out | --target) [ -n "${2:-}" ] || { usage >&2 && exit 2; } ;;
    *) usage >&2 && exit 2 ;;
  esac
  case $1 in
    --out) out=$2 ;;
    --target) target=$2 ;;
  esac
  shift 2
done

processor=${target%%-*}
processor=${processor:-$(uname -m)}
case $processor in
  x86_64) architecture=amd64 ;;
  aarch64) architecture=arm64 ;;
  *) printf 'deb.sh: Debian has another name for %s\n' "$processor" >&2 && exit 1 ;;
esac
libdir=usr/lib/$processor-linux-gnu
version=$(sed -n 's/^version = "\(.*\)"$/\1/p' "$root/Cargo.toml" | head -n 1)
abi=${version%%.*}
runtime=libshmrr$abi
maintainer="${DEBFULLNAME:-shmrr} <${DEBEMAIL:-shmrr@localhost}>"

stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT
DESTDIR=$stage/libshmrr-dev "$root/install.sh" --prefix /usr --libdir "/$libdir" ${target:+--target "$target"} \
  ${built:+--built} >/dev/null
mkdir -p "$stage/$runtime/$libdir"
mv "$stage/libshmrr-dev/$libdir"/libshmrr.so.* "$stage/$runtime/$libdir"
find "$stage/libshmrr-dev/usr/share/man" -type f -exec gzip -9n {} +

# The newest version of glibc that the library asks for a function of.
library=$stage/$runtime/$libdir/libshmrr.so.$version
glibc=$(grep -ao 'GLIBC_[0-9][0-9.]*' "$library" | sed 's/.*_//' | sort -uV | tail -n 1)

date=$(LC_ALL=C date -uR -d "@${SOURCE_DATE_EPOCH:-$(date +%s)}")
printf 'shmrr (%s) unstable; urgency=medium\n\n  * CHANGELOG.md tells what is new.\n\n -- %s  %s\n' \
  "$version" "$maintainer" "$date" >"$stage/changelog"

# A package's description of itself, of which the last fields come from standard input.
control() {
  package=$1 section=$2
  mkdir -p "$stage/$package/DEBIAN" "$stage/$package/usr/share/doc/$package"
  {
    printf 'shmrr may be used under the MIT license, which follows, or the Apache license, version 2.0:\n'
    printf '/usr/share/common-licenses/Apache-2.0. As you choose.\n\n'
    cat "$root/LICENSE-MIT"
  } >"$stage/$package/usr/share/doc/$package/copyright"
  gzip -9n <"$stage/changelog" >"$stage/$package/usr/share/doc/$package/changelog.gz"
  size=$(du -sk "$stage/$package/usr" | cut -f 1)
  cat >"$stage/$package/DEBIAN/control" <<END
Package: $package
Source: shmrr
Version: $version
Architecture: $architecture
Multi-Arch: same
Maintainer: $maintainer
Section: $section
Priority: optional
Installed-Size: $size
END
  cat >>"$stage/$package/DEBIAN/control"
  (cd "$stage/$package" && find usr -type f -exec md5sum {} + | LC_ALL=C sort -k 2 >DEBIAN/md5sums)
}

control "$runtime" libs <<END
Depends: libc6 (>= $glibc), libgcc-s1
Description: request/response between processes through shared memory
 Any number of client processes send requests, any number of server processes
 take them and reply, through one piece of shared memory and without a broker.
 Any process may be killed at any instruction: the others go on.
END
control libshmrr-dev libdevel <<END
Depends: $runtime (= $version)
Suggests: pkg-config, cmake
Description: request/response through shared memory: development files
 The header, the static library, manual pages, and what pkg-config and CMake
 read, to build programs in C and C++ that use shmrr.
END

# What programs that are linked with it depend on, for dpkg-shlibdeps: the version that brought what they call.
printf 'libshmrr %s %s (>= %s)\n' "$abi" "$runtime" "$version" >"$stage/$runtime/DEBIAN/shlibs"
{
  printf 'libshmrr.so.%s %s #MINVER#\n' "$abi" "$runtime"
  sed -n 's/^\(rr_[a-z0-9_]*\)$/ \1@Base 0.1.0/p; s/^\(rr_[a-z0-9_]*\) \(.*\)/ \1@Base \2/p' "$root/tests/symbols.txt"
} >"$stage/$runtime/DEBIAN/symbols"
printf 'activate-noawait ldconfig\n' >"$stage/$runtime/DEBIAN/triggers"

mkdir -p "$out"
for package in "$runtime" libshmrr-dev; do
  chmod -R u=rwX,go=rX "$stage/$package"
  dpkg-deb --root-owner-group --build "$stage/$package" "$out/${package}_${version}_$architecture.deb"
done
