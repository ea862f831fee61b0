#!/usr/bin/env bash
# Build a model from a corpus and fail when it is worse than it should be: ./run.sh CORPUS [FOLDER]
# The second run of the same script finds everything up to date, unless the corpus has changed.
set -euo pipefail
corpus=$(realpath "$1")
folder=${2:-build}
steps=${STEPS:-300}
bound=${BOUND:-"bpb<4.5"}

lmcli init "$folder" --quiet
lmcli -C "$folder" tokenize "$corpus" --json > "$folder/tokenize.json"
lmcli -C "$folder" train --steps "$steps" --json > "$folder/train.json"
lmcli -C "$folder" eval --assert "$bound" --json > "$folder/eval.json"
lmcli -C "$folder" run --locked
lmcli -C "$folder" verify
