#!/bin/sh
# run-nvml.sh [--build-only] [OUT]: perjoule on a real NVIDIA GPU; README.md says what it needs.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
build=$root/build-hw
only=false
[ "${1:-}" = --build-only ] && { only=true; shift; }
out=${1:-hw-out}

# The files that a meson.build lists under `variable = … files(`.
listed() {
    sed -n "/^$2 = .*files(/,/^)/s/^  '\(.*\)',\$/\1/p" "$root/src/$1/meson.build" | sed "s|^|$root/src/$1/|"
}

lean() {
    for room in $(sed -n "s/^lean_rooms = \[\(.*\)\]/\1/p" "$root/meson.build" | tr -d "',"); do
        listed "$room" room_src
    done
}

build_one() {
    version=$(sed -n "s/^  version: '\(.*\)',/\1/p" "$root/meson.build" | head -1)
    gcc -std=gnu17 -O2 -D_GNU_SOURCE "-DPJ_VERSION=\"$version\"" "-I$root/include" "-I$root/src" \
        ${JANSSON:+"-I$JANSSON" "-L$JANSSON"} "$@" \
        ${JANSSON:+-l:libjansson.a} ${JANSSON_STATIC:+-l:libjansson.a} -Wl,--as-needed -ljansson \
        -lm -ldl -lpthread
}

compile() {
    mkdir -p "$build"
    # shellcheck disable=SC2046 # lists of paths without blanks
    build_one $(lean) $(listed cli cli_src) $(listed cli perjoule_src) -o "$build/perjoule"
    # shellcheck disable=SC2046
    build_one "$root/tests/hw/nvml_log.c" $(lean) -o "$build/nvml_log"
}

if [ -n "${PERJOULE:-}" ] && [ -n "${NVML_LOG:-}" ]; then
    perjoule=$PERJOULE log=$NVML_LOG
else
    { [ -x "$build/perjoule" ] && [ -x "$build/nvml_log" ] && ! $only; } || compile
    perjoule=${PERJOULE:-$build/perjoule} log=$build/nvml_log
fi
$only && exit 0
mkdir -p "$out"
"$perjoule" --version || true
set -- "$perjoule" "$log" "$out"
[ -n "${SHORT:-}" ] && set -- "$@" --short
exec python3 "$root/tests/hw/nvml_report.py" "$@"
