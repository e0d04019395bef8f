#!/usr/bin/env bash
# Installs the Python readers of scripts/requirements.txt into .venv, if they are not there already.
# Set HEADWATER_PYTHON to use an interpreter of your own instead.
set -euo pipefail
cd "$(dirname "$0")/.."

if [ -n "${HEADWATER_PYTHON:-}" ] || cmp -s scripts/requirements.txt .venv/requirements.txt; then
  exit 0
fi
echo "installing the Python readers into .venv"
python3 -m venv --clear .venv
.venv/bin/pip install --quiet --disable-pip-version-check -r scripts/requirements.txt
cp scripts/requirements.txt .venv/ # last: a broken installation is made anew
