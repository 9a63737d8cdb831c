"""Files that are written as a whole or not at all."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from voxmark_reports.errors import ToolError
from voxmark_reports.text import clean


def write_file(path: Path, content: str | bytes) -> None:
    """Raises ToolError when it cannot be; a file that was there before is then untouched."""
    data = content.encode() if isinstance(content, str) else content
    temporary = None
    try:
        with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
            temporary = Path(file.name)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.chmod(0o644)
        temporary.replace(path)
    except OSError as error:
        if temporary:
            temporary.unlink(missing_ok=True)
        raise ToolError(f"{clean(path)}: cannot be written: {error.strerror}") from error


def make_folder(path: Path) -> None:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ToolError(f"{clean(path)}: cannot be made: {error.strerror}") from error
