#!/usr/bin/env bash
# Runs all tests in the environment of run_all.sh, made on first use: those of whole runs and, beside
# them, those of single modules, each on one thread. With arguments, which go to pytest, only those.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. ./setup.sh
[ $# -eq 0 ] || exec python -m pytest "$@"

export OMP_NUM_THREADS=1
log=$(mktemp)
trap 'rm -f "$log"' EXIT
python -m pytest tests/*/ >"$log" 2>&1 &
runs=0 modules=0
python -m pytest tests/test_*.py || runs=$?
wait $! || modules=$?
cat "$log"
exit $((runs > modules ? runs : modules))
