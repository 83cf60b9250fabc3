#!/usr/bin/env bash
# Runs all tests in the environment of run_all.sh, made on first use, two files at a time and
# each on one thread; with arguments, which go to pytest, one at a time.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. ./setup.sh
if [ $# -eq 0 ]; then
    export OMP_NUM_THREADS=1
    set -- -n 2 --dist loadfile --no-loadscope-reorder
fi
exec python -m pytest "$@"
