"""`python -m pga VERB …`, the same as `pga VERB …`."""

import sys

from pga.cli import main

sys.exit(main())
