#!/bin/sh
# voxmark setup-tools [PIP OPTION...]: installs what compare, report, history and bundle need, beside
# this installation. Without a network: --no-index --find-links FOLDER, with the wheels in FOLDER.
set -eu
share=$(dirname "$(readlink -f "$0")")/../share/voxmark
exec python3 "$share/reports/environment.py" "$share/venv" "$share/reports/requirements.txt" -- "$@"
