#!/bin/sh
# Put the CPU build of torch into .wheels, where every environment of this repository looks first.
#
# On Linux the package index serves a build with the CUDA libraries, some gigabytes that neither the
# demo nor the tests use. The index that this machine is configured for is asked for a CPU build
# first, then the one that TORCH_CPU_INDEX names (pytorch.org says where PyTorch keeps its own). On
# macOS and Windows the ordinary build is a CPU build already.
set -eu
cd "$(dirname "$0")/.."

version=$(sed -n 's/^torch==//p' constraints.txt)
mkdir -p .wheels
[ "$(uname -s)" = Linux ] || exit 0
for wheel in .wheels/torch-"$version"+cpu-*.whl; do
    [ ! -e "$wheel" ] || exit 0
done

download() { .venv/bin/python -m pip download --quiet --no-deps --dest .wheels.part "$@"; }
echo "Fetching the CPU build of torch $version"
if download "torch==$version+cpu" 2>/dev/null ||
    { [ -n "${TORCH_CPU_INDEX-}" ] &&
        download "torch==$version+cpu" --index-url "$TORCH_CPU_INDEX"; }; then
    mv .wheels.part/*.whl .wheels/
else
    echo "No CPU build of torch $version was found; the ordinary build will be installed." >&2
fi
rm -rf .wheels.part
