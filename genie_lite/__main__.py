"""`python -m genie_lite` does what `genie-lite` does."""

import sys

from genie_lite.cli import main

sys.exit(main())
