#!/usr/bin/env bash
# Runs all tests in the environment of run_all.sh, made on first use; arguments go to pytest.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. ./setup.sh
exec python -m pytest "$@"
