#!/bin/sh
# Builds the Kore web server from Debian's packaged sources with our patch: build.sh OUTDIR [sanitize]
#
# Leaves in OUTDIR: kore (the program), include/kore/*.h and cflags (what a module must be compiled with to match
# it). Needs the packages kore (its sources), dpkg-dev, gcc, make, patch and libssl-dev. Does nothing when OUTDIR
# is newer than the sources, the patch and this script.
set -eu

die() {
	echo "build.sh: $*" >&2
	exit 1
}

sources=${KORE_SOURCES:-/usr/share/kore}
here=$(cd "$(dirname "$0")" && pwd)
wanted=4.1.0

[ $# -eq 1 ] || [ $# -eq 2 ] || die "usage: build.sh OUTDIR [sanitize]"
sanitize=
case ${2:-} in
'') ;;
# What the behaviour sanitizer finds must end the process, or no test would notice.
sanitize) sanitize='address,undefined -fno-sanitize-recover=all' ;;
*) die "unknown mode '$2': say 'sanitize' or nothing" ;;
esac

[ -f "$sources/src/kore.c" ] || die "no Kore sources in $sources: apt-get install kore"
[ "$(cat "$sources/RELEASE")" = "$wanted" ] ||
	die "Kore $(cat "$sources/RELEASE") in $sources, but the patch is for $wanted: renew kore.patch, then 'wanted'"
for tool in make patch "${CC:-cc}" dpkg-buildflags; do
	command -v "$tool" >/dev/null || die "$tool is missing: apt-get install make patch gcc dpkg-dev"
done

mkdir -p "$1"
out=$(cd "$1" && pwd)
stamp=$out/stamp
mode=${sanitize:-plain}

if [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$mode" ] && [ -x "$out/kore" ] &&
	[ -z "$(find "$sources" "$here/kore.patch" "$here/build.sh" -type f -newer "$stamp")" ]; then
	exit 0
fi

rm -rf "$out/src" "$out/include" "$out/kore" "$out/cflags" "$stamp"
mkdir -p "$out/src" "$out/include"
cp -R "$sources/." "$out/src"
patch -s -p1 --fuzz=0 -d "$out/src" <"$here/kore.patch" ||
	die "kore.patch does not fit the sources in $sources: renew it for that version"

# The object folder must be there first: Kore's Makefile does not order its making before the compiling.
mkdir -p "$out/src/obj"
# Its switches are named one by one, so that none slips in from the environment.
unset MAKEFLAGS MFLAGS
export DEB_BUILD_MAINT_OPTIONS=hardening=+all
make -s -j2 -C "$out/src" kore TASKS= PGSQL= CURL= PYTHON= JSONRPC= ACME= NOHTTP= NOOPT= NOSENDFILE= DEBUG= \
	KORE_SINGLE_BINARY= OPENSSL_PATH= SANITIZE= ${sanitize:+"SANITIZE=$sanitize"} >"$out/log" 2>&1 || {
	cat "$out/log" >&2
	die "Kore did not compile: the compiler's words are above and in $out/log"
}

mv "$out/src/kore" "$out/kore"
cp -R "$out/src/include/kore" "$out/include/kore"
cp "$out/src/kore.features" "$out/cflags"
echo "$mode" >"$stamp"
