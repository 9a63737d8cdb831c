"""What the set-up scripts say of a system before they install anything."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

COMMON = Path(__file__).resolve().parents[1] / "common.sh"


@pytest.mark.parametrize(
    ("release", "said"),
    [
        ("ID=debian\nVERSION_ID=12\n", ""),
        ('ID=debian\nVERSION_ID="12"\n', ""),
        ("ID=debian\nVERSION_ID=13\n", ""),
        ('ID=debian\nVERSION_ID=11\nPRETTY_NAME="Debian 11"\n', "this is Debian 11:"),
        ('ID="rhel"\nVERSION_ID="9.4"\nPRETTY_NAME="RHEL 9.4"\n', "this is RHEL 9.4:"),
        ("", "this is an unknown system:"),
    ],
)
def test_a_system_that_is_not_supported_is_told_in_one_line(
    tmp_path: Path, release: str, said: str
) -> None:
    (tmp_path / "os-release").write_text(release)
    script = f"VOXMARK_OS_RELEASE={tmp_path}/os-release; source {COMMON}; is_supported"
    done = subprocess.run(
        ["bash", "-euc", script], capture_output=True, text=True, cwd=tmp_path, check=False
    )
    assert done.returncode == (1 if said else 0)
    assert done.stderr == ""
    assert done.stdout.count("\n") == (1 if said else 0)
    assert said in done.stdout
    assert not said or "Supported are Debian 12 and 13" in done.stdout
