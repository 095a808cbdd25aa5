#!/usr/bin/env bash
# The checks that every machine decodes the same integers, on an emulated ARM processor of 64 bits:
#
#     tests/on_arm64.sh FOLDER [TEST ...]
#
# FOLDER gets a small Debian (800 MB with what is installed; a second run takes it as it is).
# Needs root on Debian or Ubuntu with the packages debootstrap, qemu-user-static and, outside of a
# container, binfmt-support. TEST: what pytest runs, else golden files, entropy coding, runtimes and
# damaged files. Emulation takes ten times as long, so its times say nothing.
set -euo pipefail
root=$(realpath -m "$1")
shift
checkout=$(realpath "$(dirname "$0")/..")
python=/root/venv/bin/python
tests=("$@")
if [ ${#tests[@]} = 0 ]; then
  tests=(tests/golden tests/entropy tests/runtimes tests/test_hostile.py)
fi
packages=python3-venv,gcc,libc6-dev,ca-certificates
if [ ! -e "$root/root/venv" ]; then
  debootstrap --arch=arm64 --variant=minbase --include=$packages bookworm "$root"
  cp -r /etc/ssl/certs "$root/etc/ssl/"
  chroot "$root" python3 -m venv /root/venv
fi
rm -rf "$root/root/latentpress"
mkdir "$root/root/latentpress"
git -C "$checkout" archive HEAD | tar -x -C "$root/root/latentpress"
# the emulator shows the host's processor there
printf 'processor\t: 0\nFeatures\t: fp asimd crc32 atomics asimdhp asimddp\n\n' \
  > "$root/root/cpuinfo"
unshare --mount bash -euc '
  root=$1 python=$2
  shift 2
  mount --rbind /proc "$root/proc"
  mount --rbind /dev "$root/dev"
  mount --bind "$root/root/cpuinfo" "$root/proc/cpuinfo"
  inside="cd /root/latentpress && $python -m pip install -q -e .[test-core] onnx scikit-image"
  chroot "$root" /bin/bash -c "$inside && exec $python -m pytest -q -n 2 $*"
' bash "$root" "$python" "${tests[@]}"
