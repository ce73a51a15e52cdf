#!/bin/sh
# plant.sh CHECK: copies the sources to a scratch folder, plants one violation that CHECK must find,
# and expects the check to pass before and to fail, naming the planted place, after.
set -eu
root=${PERJOULE_SOURCE_ROOT:?}
check=$1
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
# everything that is ours: a folder that is named in meson.build and missing here fails all of them
for part in "$root"/* "$root/.clang-format" "$root/.clang-tidy"; do
    case ${part##*/} in
    build* | demo-results | hw-out) ;;
    *) cp -r "$part" "$dir/" ;;
    esac
done

missing() {
    echo "1..0 # SKIP $1 is not installed (tools/packages, section check)"
    exit 0
}
expect() { # WORDS COMMAND…: the command fails and its output holds the words
    words=$1
    shift
    if "$@" >"$dir/out" 2>&1; then
        echo "not ok 1 - $check passed although a violation was planted"
        exit 1
    fi
    if ! grep -q -- "$words" "$dir/out"; then
        echo "not ok 1 - $check failed without naming '$words':"
        sed 's/^/# /' "$dir/out" | head -20
        exit 1
    fi
    echo "ok 1 - $check names $words"
}
clean() { # COMMAND…: passes on the tree as it is
    if ! "$@" >"$dir/out" 2>&1; then
        echo "not ok 1 - $check fails on the tree as it is:"
        sed 's/^/# /' "$dir/out" | head -40
        exit 1
    fi
}

echo "1..1"
case $check in
arrows)
    clean "$dir/tools/check-arrows" "$dir"
    echo '#include "lab/runner.h"' >>"$dir/src/core/num.c"
    expect 'src/core/num.c:[0-9]*: core -> lab' "$dir/tools/check-arrows" "$dir"
    ;;
size)
    command -v ctags >/dev/null || missing ctags
    clean "$dir/tools/check-size" "$dir"
    {
        echo 'int planted(int x);'
        echo 'int planted(int x)'
        echo '{'
        i=0
        while [ $i -lt 60 ]; do echo '    x++;'; i=$((i + 1)); done
        echo '    return x;'
        echo '}'
    } >>"$dir/src/core/num.c"
    expect 'src/core/num.c:[0-9]*: planted: 6[0-9] lines' "$dir/tools/check-size" "$dir"
    ;;
file-size)
    command -v ctags >/dev/null || missing ctags
    i=0
    while [ $i -lt 701 ]; do echo '/* line */'; i=$((i + 1)); done >"$dir/src/core/planted.c"
    expect 'src/core/planted.c:1: file of 701 lines' "$dir/tools/check-size" "$dir"
    ;;
units)
    clean "$dir/tools/check-units" "$dir"
    printf 'struct planted {\n    double energy;\n};\n' >>"$dir/src/core/units.h"
    expect 'src/core/units.h:[0-9]*: field energy' "$dir/tools/check-units" "$dir"
    ;;
plots)
    clean "$dir/tools/check-plots" "$dir"
    echo 'const char planted[] = "plot $d0 using 1:2 smooth kdensity";' >>"$dir/src/report/picture.c"
    expect 'src/report/picture.c:[0-9]*: gnuplot must not compute' "$dir/tools/check-plots" "$dir"
    ;;
page-script)
    clean "$dir/tools/page-script" --check "$dir"
    sed -i 's/"dark"/"dork"/' "$dir/src/report/page.ts"
    expect 'page_script.c is not what' "$dir/tools/page-script" --check "$dir"
    ;;
json-units)
    printf 'void planted(json_t *o)\n{\n    json_object_set_new(o, "power", json_real(1));\n}\n' \
        >>"$dir/src/core/json.c"
    expect 'src/core/json.c:[0-9]*: JSON key "power"' "$dir/tools/check-units" "$dir"
    ;;
format)
    command -v clang-format-14 >/dev/null || missing clang-format-14
    clean "$dir/tools/check-format" "$dir"
    echo 'int  planted ;' >>"$dir/src/core/num.c"
    expect 'src/core/num.c:[0-9]*:' "$dir/tools/check-format" "$dir"
    ;;
warnings-gcc | warnings-clang)
    compiler=${check#warnings-}
    [ "$compiler" = gcc ] || command -v clang-14 >/dev/null || missing clang-14
    # one room is enough to see that a warning stops the build
    printf 'int planted(long x);\nint planted(long x)\n{\n    return x;\n}\n' >>"$dir/src/core/num.c"
    expect 'core/num.c' "$dir/tools/check-warnings" "$compiler" "$dir"
    ;;
tidy)
    command -v clang-tidy-14 >/dev/null || missing clang-tidy-14
    find "$dir/src" -name '*.c' ! -path '*/core/prng.c' -delete
    printf 'int planted(int x);\nint planted(int x)\n{\n    int *p = 0;\n    return x ? *p : 0;\n}\n' \
        >>"$dir/src/core/prng.c"
    mkdir "$dir/build-clang"
    printf '[{"directory":"%s","file":"%s/src/core/prng.c","command":"clang-14 -std=gnu17 -D_GNU_SOURCE -I%s/include -I%s/src -c %s/src/core/prng.c"}]\n' \
        "$dir" "$dir" "$dir" "$dir" "$dir" >"$dir/build-clang/compile_commands.json"
    expect 'prng.c:[0-9]*:' "$dir/tools/check-tidy" "$dir" "$dir/build-clang"
    ;;
sanitize)
    # one small test is enough to see that a fault in it is found and named
    awk '/^int main\(void\)/ { print; getline; print; print "    char *planted = malloc(1);"
                             print "    free(planted);"; print "    (void)!write(2, planted, 1);"; next }
         { print }' "$root/tests/unit/core/test_text.c" >"$dir/test.c"
    { echo '#include <unistd.h>'; cat "$dir/test.c"; } >"$dir/tests/unit/core/test_text.c"
    sed -i "s/'werror=true'/'werror=false'/" "$dir/meson.build"
    expect 'heap-use-after-free' "$dir/tools/check-sanitize" "$dir" core/text
    ;;
symbols | symbols-missing | symbols-soname)
    clean "$dir/tools/check-symbols" "${PERJOULE_BUILD_ROOT:?}/src/library/libperjoule.so" "$dir"
    # a library with the names of the list, and what is wrong with it
    sed -n 's/^pj_.*/void &(void) {}/p' "$root/tools/symbols" >"$dir/lib.c"
    soname=libperjoule.so.0
    case $check in
    symbols)
        echo 'void pji_planted(void) {}' >>"$dir/lib.c"
        words='pji_planted: exported'
        ;;
    symbols-missing)
        sed -i '/pj_window_end(/d' "$dir/lib.c"
        words='pj_window_end: in tools/symbols'
        ;;
    symbols-soname)
        soname=libperjoule.so.1
        words='not libperjoule.so.0'
        ;;
    esac
    cc -shared -fPIC -Wl,-soname,"$soname" -o "$dir/lib.so" "$dir/lib.c"
    expect "$words" "$dir/tools/check-symbols" "$dir/lib.so" "$dir"
    ;;
*)
    echo "not ok 1 - unknown check $check"
    exit 1
    ;;
esac
