"""`python -m pratique`."""

import sys

from pratique.cli.main import main

sys.exit(main())
