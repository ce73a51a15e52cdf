#!/bin/sh
# The generated table of grids is what its generator writes, and a changed figure is noticed.
set -eu
root=${PERJOULE_SOURCE_ROOT:-$(dirname "$0")/../..}
data=${PERJOULE_SHARED:-$root/../shared}/data
if [ ! -f "$data/carbon-intensity.csv" ]; then
    echo "1..0 # SKIP $data/carbon-intensity.csv is not here"
    exit 0
fi
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
echo 1..2
"$root/tools/carbon-table" "$data/carbon-intensity.csv" "$data/cloud-regions.csv" >"$folder/table.c"
cmp -s "$folder/table.c" "$root/src/carbon/carbon_table.c" || printf 'not '
echo "ok 1 - the table is the generator's"
sed 's/^DEU,Germany,[0-9.]*/DEU,Germany,1/' "$data/carbon-intensity.csv" >"$folder/changed.csv"
"$root/tools/carbon-table" "$folder/changed.csv" "$data/cloud-regions.csv" >"$folder/changed.c"
if cmp -s "$folder/changed.c" "$root/src/carbon/carbon_table.c"; then printf 'not '; fi
echo "ok 2 - another figure gives another table"
