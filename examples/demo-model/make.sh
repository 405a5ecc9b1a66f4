#!/bin/sh
# Re-make stories.gguf: corpus, tokenizer, training (a quarter of an hour alone on two cores), export, check.
# The work folder holds what is not kept; an interrupted training goes on from there.
#     ./make.sh [WORK_FOLDER]
set -eu
here=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd)
work=${1:-/tmp/demo-model}
python=${PYTHON:-python3}
export PYTHONDONTWRITEBYTECODE=1
mkdir -p "$work"
"$python" "$here/corpus.py" --seed 1 --count 40000 --out "$work/corpus.txt"
"$python" "$here/tokenizer.py" --corpus "$work/corpus.txt" --size 2048 --out "$work/tokenizer.json"
"$python" "$here/train.py" --corpus "$work/corpus.txt" --tokenizer "$work/tokenizer.json" \
    --out "$work/model.pt"
"$python" "$here/export.py" --model "$work/model.pt" --tokenizer "$work/tokenizer.json" \
    --out "$here/stories.gguf"
"$python" "$here/check.py" "$here/stories.gguf"
