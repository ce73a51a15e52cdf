#!/bin/sh
# run.sh RAW OUT: from the raw folders of the GreenLab study (or of one like it) to its whole analysis.
#   RAW  folder whose subfolders hold energibridge.csv, energibridge-summary.txt and prompts_out.tsv
#   OUT  new folder: study/ (the records), analysis/ (tables and pictures), summary.txt, findings.txt
# PERJOULE names the program, PROTOCOL another protocol than 'greenlab'.
# Exit code: 0, or 3 when a finding forbids a conclusion (the files are complete all the same).
set -u
[ $# -eq 2 ] || { sed -n '2,6s/^# //p' "$0" >&2; exit 2; }
raw=$1
out=$2
perjoule=${PERJOULE:-perjoule}
[ ! -e "$out" ] || { echo "run.sh: $out exists: give a new folder" >&2; exit 2; }
mkdir -p "$out" || exit 1

worst=0
step() { # a step may end with 3 (something forbids a conclusion); anything else but 0 ends the script
    "$@"
    code=$?
    [ $code -eq 0 ] || [ $code -eq 3 ] || { echo "run.sh: $* ended with $code" >&2; exit $code; }
    [ $code -le $worst ] || worst=$code
}

echo "1. raw runs become a study: $out/study"
step "$perjoule" import greenlab "$raw" --out "$out/study" >"$out/findings.txt"
echo "2. the protocol's tables and pictures: $out/analysis"
step "$perjoule" analyse "$out/study" --protocol "${PROTOCOL:-greenlab}" --out "$out/analysis" \
    >"$out/summary.txt"
cat "$out/summary.txt"
echo
echo "what was found in the raw files: $out/findings.txt"
exit $worst
