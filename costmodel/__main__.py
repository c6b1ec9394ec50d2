"""``python -m costmodel``: the command line."""

import sys

from costmodel.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
