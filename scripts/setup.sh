#!/bin/sh
# Brings everything that the Makefile's words need, and says what it installs. Runs again in a second when all is there.
#   setup.sh          Python environment only
#   setup.sh lab      also what the tests need: Docker engine, sshd, tools that make images, a browser
set -eu
cd "$(dirname "$0")/.."

say() { printf '== %s\n' "$*"; }

need_root() {
    [ "$(id -u)" = 0 ] || { say "cannot install $*: not root; install it yourself or run as root"; exit 1; }
}

# apt_install "reason" package...
apt_install() {
    reason=$1; shift
    missing=
    for package in "$@"; do
        [ "$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing="$missing $package"
    done
    [ -n "$missing" ] || return 0
    need_root "$missing"
    say "installing$missing ($reason)"
    [ -n "${apt_updated:-}" ] || { apt-get update -qq; apt_updated=yes; }
    # shellcheck disable=SC2086
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null
}

find_python() {
    for candidate in python3.13 python3.12 python3.11 python3; do
        if command -v "$candidate" >/dev/null 2>&1 &&
            "$candidate" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            echo "$candidate"; return
        fi
    done
}

python=$(find_python)
if [ -z "$python" ]; then
    apt_install "Python 3.11 or newer with venv" python3 python3-venv
    python=$(find_python)
fi
[ -n "$python" ] || { say "cannot find Python 3.11 or newer with venv"; exit 1; }

uv=.venv/tools/bin/uv
if [ ! -x "$uv" ]; then
    say "making .venv and installing uv into it"
    "$python" -m venv .venv
    "$python" -m venv .venv/tools
    .venv/tools/bin/python -m pip install --quiet --disable-pip-version-check uv
fi

mark=.venv/requirements.installed
wanted=$(cat requirements.lock pyproject.toml | sha256sum)
if [ "$(cat "$mark" 2>/dev/null)" != "$wanted" ]; then
    say "installing the Python packages of requirements.lock"
    VIRTUAL_ENV=$PWD/.venv "$uv" pip sync --quiet --require-hashes requirements.lock
    VIRTUAL_ENV=$PWD/.venv "$uv" pip install --quiet --no-deps --editable .
    printf '%s' "$wanted" >"$mark"
fi

if [ "${1:-}" = lab ]; then
    apt_install "real sshd, machines and image tools for the lab and the tests" \
        ca-certificates openssh-server openssh-client iproute2 iptables procps xz-utils curl busybox
    command -v chromium >/dev/null 2>&1 || apt_install "a real browser for the tests of the console" chromium
    apt_install "a font with Chinese characters, for pictures of the console" fonts-wqy-microhei
    .venv/bin/python -m groundplane_lab prerequisites
fi
