#!/bin/sh
# Install what Python and napari's window need from the system: on Debian and Ubuntu with apt,
# as root or through sudo. Elsewhere, say what is missing. Nothing missing: nothing is done.
set -eu

[ "$(uname -s)" = Linux ] || exit 0
PATH="$PATH:/usr/sbin:/sbin"
python="${PYTHON:-python3}"

missing=""
need() { # need PACKAGE TEST...: PACKAGE is missing when the command TEST fails
    package="$1"
    shift
    "$@" >/dev/null 2>&1 || missing="$missing $package"
}
has_library() { ldconfig -p | grep -qF "$1 "; }

need ca-certificates     test -s /etc/ssl/certs/ca-certificates.crt
need git                 command -v git
need python3             command -v "$python"
need python3-venv        "$python" -c "import ensurepip, venv"
need xvfb                command -v Xvfb
need xauth               command -v xauth
need libgl1              has_library libGL.so.1
need libegl1             has_library libEGL.so.1
need libglib2.0-0        has_library libglib-2.0.so.0
need libdbus-1-3         has_library libdbus-1.so.3
need libfontconfig1      has_library libfontconfig.so.1
need libxkbcommon0       has_library libxkbcommon.so.0
need libxkbcommon-x11-0  has_library libxkbcommon-x11.so.0
need libxcb-cursor0      has_library libxcb-cursor.so.0
need libxcb-icccm4       has_library libxcb-icccm.so.4
need libxcb-keysyms1     has_library libxcb-keysyms.so.1
need libxcb-shape0       has_library libxcb-shape.so.0

[ -n "$missing" ] || exit 0
echo "Missing from the system (by their Debian names):$missing"

if ! command -v apt-get >/dev/null; then
    echo "There is no apt-get here: install them with this system's own package manager." >&2
    exit 1
elif [ "$(id -u)" = 0 ]; then
    as_root="env"
elif command -v sudo >/dev/null; then
    as_root="sudo env"
else
    echo "Ask an administrator to run: apt-get install$missing" >&2
    exit 1
fi

$as_root apt-get update -qq
# shellcheck disable=SC2086 # one word per package
$as_root DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends $missing \
    >/dev/null
