#!/bin/sh
# Stores today's ABI as the one to keep. Until 1.0.0 this is done on purpose, with a line under "ABI" in CHANGELOG.md;
# from then on the files of a release are never touched again.
#
# usage: tests/abi/renew.sh BUILD_FOLDER     (gcc, with debug information, no sanitizers: as ./quickstart makes it)
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
build=${1:?usage: tests/abi/renew.sh BUILD_FOLDER}
cd "$root"
library=$build/lib/libllminf.so.1.0.0
abidw --no-corpus-path --no-comp-dir-path --short-locs --headers-dir include --out-file tests/abi/llminf-1.0.abi "$library"
"$build/tests/abi-schema" > tests/abi/schema.txt
python3 tests/abi/abi.py print-constants . cc > tests/abi/constants.txt
wc -l tests/abi/llminf-1.0.abi tests/abi/schema.txt tests/abi/constants.txt
