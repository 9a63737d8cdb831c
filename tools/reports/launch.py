"""What the voxmark-NAME programs start: NAME and its arguments. Needs no installed package."""

import sys
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parent))

from voxmark_reports.program import main  # noqa: E402

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
