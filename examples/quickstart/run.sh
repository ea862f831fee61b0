#!/usr/bin/env bash
# From nothing to a trained, fine-tuned, measured model in a few minutes: ./run.sh [folder]
set -euo pipefail
folder=${1:-quickstart}

lmcli init "$folder" --template quickstart
cd "$folder"
lmcli run

echo
echo "== figures: text that the model has not seen"
lmcli show text
echo
echo "== figures: what functions do, from their signatures"
lmcli show signatures
echo
echo "== three samples"
lmcli show samples
echo
echo "== where everything lies"
lmcli status
echo "in $PWD; try: lmcli -C $folder generate \"The import statement\""
