"""The journal of a run that did not come to its end (results/journal.h), as the report that it
would have become."""

from __future__ import annotations

import hashlib
import re

from voxmark_reports.errors import ToolError

START = b'{"sha256":"'
PARTIAL = "the run was killed"  # as voxmark itself says of a journal
_LINE = re.compile(rb'\{"sha256":"([0-9a-f]{64})","entry":(\{.*\})\}')


def as_report(text: bytes, name: str) -> bytes:
    """The JSON of header and records. A last line that is torn is left out, as voxmark does. Raises
    ToolError where any other one is damaged."""
    entries = []
    lines = text.split(b"\n")
    for number, line in enumerate(lines[:-1], 1):  # what stands behind the last newline is torn
        match = _LINE.fullmatch(line)
        if match and hashlib.sha256(match[2]).hexdigest().encode() == match[1]:
            entries.append(match[2])
        elif number == 1 or number < len(lines) - 1 or lines[-1]:
            raise ToolError(f"{name}: line {number}: damaged, its checksum differs")
    if not entries:
        raise ToolError(f"{name}: line 1: not the header of a journal")
    header, *records = entries
    return header[:-1] + b',"records":[' + b",".join(records) + b"]}"
