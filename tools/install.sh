#!/bin/sh
# Makes .venv and installs the pinned requirements and this package into it.
# Does nothing where that is done; goes on where it was interrupted.
# PYTHON names the interpreter; without it the first supported one on PATH is taken.
set -u
cd "$(dirname "$0")/.." || exit 1
venv=.venv
log=$venv/install.log
stamp=$venv/.installed

fail() {
    echo "$*" >&2
    exit 1
}

version() {
    "$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null
}

supported() {
    case "$(version "$1")" in 3.11 | 3.12 | 3.13) true ;; *) false ;; esac
}

needs="The book needs Python 3.11, 3.12 or 3.13"
if [ -n "${PYTHON:-}" ]; then
    supported "$PYTHON" || fail "$needs; PYTHON=$PYTHON is $(version "$PYTHON" || echo 'not a Python')."
fi

# Everything that decides what is installed, and where: a moved checkout installs anew.
inputs="requirements.txt constraints.txt pyproject.toml etc/jupyter/labconfig/*.json tools/fetch_runtime.py"
state="$(pwd) $(cat $inputs | cksum)"
ready() {
    case "$(cat "$stamp" 2>/dev/null)" in "" | "$(pwd) "*) ;; *) return 1 ;; esac
    "$venv/bin/python" -m pip --version >/dev/null 2>&1 && supported "$venv/bin/python" || return 1
    [ -z "${PYTHON:-}" ] || [ "$(version "$PYTHON")" = "$(version "$venv/bin/python")" ]
}

if ! ready; then
    python=${PYTHON:-}
    for candidate in python3 python3.13 python3.12 python3.11; do
        [ -z "$python" ] && supported "$candidate" && python=$candidate
    done
    [ -n "$python" ] || fail "$needs; python3 is $(version python3 || echo missing)." \
        "Name one: PYTHON=/path/to/python3.12 make book"
    trouble=$("$python" -m venv --clear "$venv" 2>&1) ||
        fail "$python can't make a virtual environment (Debian: apt install python3-venv): $trouble"
elif [ "$(cat "$stamp" 2>/dev/null)" = "$state" ]; then
    exit 0
fi

rm -f "$stamp"
echo "Installing the requirements into $venv: a few minutes, 2 GB. Log: $log"
{
    # Compiled afterwards on every core: pip takes one. What does not compile says so if imported.
    "$venv/bin/python" -m pip install --disable-pip-version-check --no-compile \
        -r requirements.txt &&
        { "$venv/bin/python" -m compileall -q -j 0 "$venv/lib" || true; } &&
        "$venv/bin/python" -m pip install --disable-pip-version-check --no-deps \
            --no-build-isolation -e . &&
        "$venv/bin/python" tools/fetch_runtime.py
} >"$log" 2>&1 </dev/null || {
    grep -qE 'NewConnectionError|ConnectTimeout|ReadTimeout|ProxyError|No matching distribution|npm could not fetch' "$log" &&
        fail "The requirements could not be downloaded: is there a network? See $log"
    fail "The requirements could not be installed: see $log"
}
echo "$state" >"$stamp"
