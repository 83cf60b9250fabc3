#!/usr/bin/env bash
# Runs all tests in the environment of run_all.sh, made on first use: in two processes, on one thread each,
# that take file after file. With arguments, which go to pytest, only those, in one process.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. ./setup.sh
[ $# -eq 0 ] || exec python -m pytest "$@"

export OMP_NUM_THREADS=1
unset PYTHONDONTWRITEBYTECODE # some 300 kernels would each compile src
exec python -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder
