"""The exit codes, the same as the C++ program's, and the one exception of these tools."""

from enum import IntEnum


class ExitCode(IntEnum):
    DONE = 0  # done, same, faster
    ANSWER_IS_NO = 1  # a regression
    NOT_COMPARABLE = 3
    INCONCLUSIVE = 4
    CANNOT_HERE = 5
    BAD_INPUT = 64
    INTERNAL = 70  # a fault of our own
    INTERRUPTED = 130


class ToolError(Exception):
    """One line that names the thing, what was expected and what was found."""

    def __init__(self, message: str, code: ExitCode = ExitCode.BAD_INPUT) -> None:
        super().__init__(message)
        self.code = code
