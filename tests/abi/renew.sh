#!/bin/sh
# Stores today's ABI as the one to keep. Until 1.0.0 this is done on purpose, with a line under "ABI" in CHANGELOG.md;
# from then on what a release stored is never touched again.
#
# usage: tests/abi/renew.sh BUILD     (a build with gcc, debug information and no sanitizers, as ./quickstart test makes it)
set -eu
build=$(cd "${1:?usage: tests/abi/renew.sh BUILD}" && pwd)
cd "$(dirname "$0")/../.."
exec python3 tests/abi/abi.py renew . "$build/lib/libllminf.so.1.0.0" "$build/tests/abi-schema" cc
