"""Files that are written as a whole or not at all."""

from __future__ import annotations

import errno
import os
import tempfile
from pathlib import Path

from voxmark_reports.errors import ExitCode, ToolError
from voxmark_reports.text import clean

# What is no fault of the name that was given.
_CODES = {
    errno.ENOSPC: ExitCode.INTERNAL,
    errno.EDQUOT: ExitCode.INTERNAL,
    errno.EFBIG: ExitCode.INTERNAL,
    errno.EIO: ExitCode.INTERNAL,
    errno.EMFILE: ExitCode.CANNOT_HERE,
    errno.ENFILE: ExitCode.CANNOT_HERE,
}


def write_file(path: Path, content: str | bytes) -> None:
    """Raises ToolError when it cannot be; a file that was there before is then untouched. A device
    or a pipe is written to, and stays one; a link stays, and what it leads to is written."""
    data = content.encode() if isinstance(content, str) else content
    try:
        if path.exists() and not path.is_file() and not path.is_dir():
            path.write_bytes(data)
        else:
            _put_in_place(Path(os.path.realpath(path)), data)
    except OSError as error:
        code = _CODES.get(error.errno or 0, ExitCode.BAD_INPUT)
        raise ToolError(f"{clean(path)}: cannot be written: {error.strerror}", code) from error


def _put_in_place(path: Path, data: bytes) -> None:
    if path.is_symlink():  # to itself: else it would have been followed
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
    temporary = None
    try:
        with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
            temporary = Path(file.name)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.chmod(0o644)
        temporary.replace(path)
    except OSError:
        if temporary:
            temporary.unlink(missing_ok=True)
        raise


def make_folder(path: Path) -> None:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ToolError(f"{clean(path)}: cannot be made: {error.strerror}") from error
