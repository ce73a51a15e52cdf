#!/bin/bash
# run-study.sh: whole studies over a decoder on a real GPU; README.md says what it needs.
#
#   tests/hw/run-study.sh --build-only    here: makes build-hw/study, to be carried to the GPU machine
#   tests/hw/run-study.sh [OUT]           there: runs the studies into OUT (default: hw-out)
#
# STUDIES="batch split served"  which (default: the first two); SHORT=1: two repetitions of less;
# REPETITIONS=N; SERVER="…": more arguments of serve_decoder.py; STUDY="…": more of study_files.py;
# GATES="{…}": as in a study file; FOREIGN=1: beside a process of nobody's on the GPU; PERJOULE: another program.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
bundle=$root/build-hw/study

build() { # programs that find the libraries beside them, wherever they are put
    local meson=$root/build-hw/meson file
    [ -f "$meson/build.ninja" ] || meson setup "$meson" "$root" --buildtype=release \
        "-Dc_link_args=-Wl,--disable-new-dtags,-rpath,\$ORIGIN/lib" >"$root/build-hw/setup.log"
    ninja -C "$meson" src/cli/perjoule src/cli/perjoule-lab src/cli/perjoule-keeper
    rm -rf "$bundle"
    mkdir -p "$bundle/lib"
    for file in perjoule perjoule-lab perjoule-keeper; do
        strip -o "$bundle/$file" "$meson/src/cli/$file"
    done
    # libc itself is the machine's own: it belongs to its loader
    ldd "$meson/src/cli/perjoule-lab" | sed -n 's/.* => \(\/[^ ]*\) .*/\1/p' |
        grep -Ev '/(libc|libm|libdl|libpthread|librt|libresolv)\.so\.' |
        while read -r file; do cp -L "$file" "$bundle/lib/"; done
    chmod u+w "$bundle"/lib/*
    strip --strip-unneeded "$bundle"/lib/*
    echo "run-study: $(du -sm "$bundle" | cut -f1) MiB in $bundle; it needs glibc $(
        objdump -T "$bundle"/perjoule* "$bundle"/lib/* | grep -o 'GLIBC_2\.[0-9]*' | sort -uV | tail -1)"
}

mkdir -p "$root/build-hw"
case ${1:-} in
--build-only) build; exit ;;
-*) sed -n '4,5s/^# *//p' "$0" >&2; exit 2 ;;
esac
out=${1:-hw-out}
mkdir -p "$out"
out=$(cd "$out" && pwd)
perjoule=${PERJOULE:-$bundle/perjoule}
[ -x "$perjoule" ] || { echo "run-study: no $perjoule: run it with --build-only first" >&2; exit 2; }
work=$(mktemp -d) server='' stranger=''
finish() {
    [ -z "$server" ] || kill "$server" 2>/dev/null || true
    [ -z "$stranger" ] || kill "$stranger" 2>/dev/null || true
    rm -rf "$work"
}
trap finish EXIT

"$perjoule" --version
"$perjoule" devices | tee "$out/devices.txt"
nvidia-smi --query-gpu=name,driver_version,power.limit,clocks.sm,temperature.gpu --format=csv 2>&1 |
    tee -a "$out/devices.txt" || true

serve() { # one server for the studies that need one
    # shellcheck disable=SC2086 # lists of arguments
    python3 "$root/tests/hw/serve_decoder.py" --port 0 --port-file "$work/port" ${SERVER:-} \
        >"$out/server.log" 2>&1 &
    server=$!
    for ((i = 0; i < 1800; i++)); do
        [ -f "$work/port" ] && break
        kill -0 "$server" 2>/dev/null || break
        sleep 0.1
    done
    cat "$out/server.log"
    [ -f "$work/port" ] || { echo "run-study: the server does not start" >&2; exit 1; }
}

studies=${STUDIES:-batch split}
case " $studies " in
*' batch '* | *' split '*) serve ;;
*) echo 0 >"$work/port"; echo 'perjoule starts it' >"$out/server.log" ;;
esac
if [ -n "${FOREIGN:-}" ]; then
    python3 -c 'import time, torch; x = torch.zeros(1, device="cuda"); time.sleep(3600)' &
    stranger=$!
    sleep 20
fi

short=''
[ -z "${SHORT:-}" ] || short='--repetitions 2 --requests 64 --tokens 48'
# shellcheck disable=SC2086
python3 "$root/tests/hw/study_files.py" "$work/studies" "http://127.0.0.1:$(cat "$work/port")/v1" \
    $short ${SERVER:+"--server=$SERVER"} ${REPETITIONS:+--repetitions "$REPETITIONS"} ${GATES:+--gates "$GATES"} ${STUDY:-}

worst=0
for name in $studies; do
    began=$SECONDS code=0
    study=$work/studies/$name.yaml
    "$perjoule" check "$study" >"$out/$name-check.txt" || { cat "$out/$name-check.txt"; exit 2; }
    "$perjoule" run "$study" --out "$work/$name" || code=$?
    echo "run-study: $name took $((SECONDS - began)) s, exit code $code"
    "$perjoule" report "$work/$name" >"$out/$name.txt" || true
    sed -n '1,60p' "$out/$name.txt"
    python3 "$root/tests/hw/study_channels.py" "$work/$name" | tee "$out/$name-channels.txt"
    "$perjoule" export "$work/$name" --format csv >"$out/$name.csv" || true
    cp "$study" "$work/$name/as-run.yaml"
    cp "$work/studies/"*.jsonl "$work/$name/"
    cp "$out/$name-check.txt" "$out/devices.txt" "$out/server.log" "$work/$name/"
    cp "$out/$name-channels.txt" "$work/$name/"
    tar -C "$work" -czf "$out/$name.tar.gz" "$name"
    rm -f "$out/$name-check.txt" "$out/$name-channels.txt"
    [ "$code" -le "$worst" ] || worst=$code
done
exit "$worst"
