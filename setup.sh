# Sourced by run_all.sh and tests/run.sh, in the repository's folder: makes the environment .venv on first
# use and puts it first in PATH. An activated conda environment made from environment.yml is used as it is.

installed=.venv/striate-installed # written last: what is installed, and where

say() { printf '%s\n' "$*" >&2; }

# What the environment is made of. It holds absolute paths, so it also depends on the folder.
wanted() { pwd -P && cat pyproject.toml constraints.txt; }

mark_installed() { wanted >"$installed.new" && mv "$installed.new" "$installed"; }

is_installed() { [ -x .venv/bin/python ] && wanted | cmp -s - "$installed"; }

conda_has_it() {
    [ -n "${CONDA_PREFIX:-}" ] || return 1
    local from='from src.paths import ROOT; print(ROOT)'
    [ "$(cd / && "$CONDA_PREFIX/bin/python" -c "$from" 2>/dev/null)" = "$(pwd -P)" ]
}

find_python() {
    local candidate
    for candidate in python3 python3.14 python3.13 python3.12 python3.11 python; do
        if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            command -v "$candidate"
            return
        fi
    done
    say "Python 3.11 or newer is needed and was not found; python3 is $(python3 --version 2>&1 || true)."
    say "Get it from https://www.python.org/downloads or your package manager, and run this again."
    return 1
}

# A folder without the mark is a killed install: start anew. With one for this folder: update it in place.
make_environment() {
    local log=.venv/install.log
    if [ -L .venv ]; then
        say ".venv is a link to an environment of another folder: remove the link and run this again."
        return 1
    fi
    if [ -x .venv/bin/python ] && [ "$(head -n 1 "$installed" 2>/dev/null)" = "$(pwd -P)" ]; then
        say "Updating the packages in .venv (log: $log) ..."
    else
        local python
        python=$(find_python) || return
        say "Installing the packages into .venv: some minutes, 2 to 6 GB of disk (log: $log) ..."
        "$python" -m venv --clear .venv >&2 || return
    fi
    rm -f "$installed"
    if ! .venv/bin/python -m pip install --disable-pip-version-check --no-input \
        -e '.[all]' -c constraints.txt >"$log" 2>&1; then
        grep -v -e '^WARNING: Location .* is ignored' "$log" | tail -n 15 >&2
        say "The packages could not be installed; the whole log is in $log."
        return 1
    fi
    mark_installed
}

# Two first uses at once: the second waits, and finds the environment made.
take_turns() {
    local python
    python=$(find_python) || return
    exec 9>.venv.lock
    "$python" -c 'import fcntl; fcntl.flock(9, fcntl.LOCK_EX)'
    is_installed || make_environment || return
    exec 9>&-
}

if conda_has_it; then
    export PATH="$CONDA_PREFIX/bin:$PATH"
else
    is_installed || take_turns || exit 1
    export PATH="$PWD/.venv/bin:$PATH"
fi
unset PYTHONHOME PYTHONPATH # another installation's packages
