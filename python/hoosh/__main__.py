"""`python -m hoosh` is `hoosh`."""

import sys

from hoosh.cli import main

if __name__ == "__main__":
    sys.exit(main())
