#!/bin/sh
# voxmark setup-tools [PIP OPTION...]: installs what compare, report, history and bundle need, beside
# this installation. Without a network: --no-index --find-links FOLDER, with the wheels in FOLDER.
set -eu
share=$(dirname "$(readlink -f "$0")")/../share/voxmark
python3 -m venv --clear "$share/venv"
"$share/venv/bin/pip" install --quiet --disable-pip-version-check "$@" \
  --requirement "$share/reports/requirements.txt"
