#!/bin/sh
# Builds web/src/engine.wasm, or the file that is named. Debian: apt-get install clang-19 lld-19.
# Another version of clang makes other bytes of the same arithmetic.
set -eu
cd "$(dirname "$0")"
"${CLANG:-clang-19}" --target=wasm32 -O3 -msimd128 -nostdlib -fno-builtin -fno-math-errno \
    -ffp-contract=off -Wall -Wextra -Werror \
    -Wl,--no-entry -Wl,--import-memory -Wl,--max-memory=4294967296 -Wl,-z,stack-size=16384 \
    -Wl,--strip-all -o "${1:-../src/engine.wasm}" direct.c integers.c winograd.c
