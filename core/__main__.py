"""`python -m core VERB …`: the command line of Lotwise."""

import sys

from core.commands.command_line import main

if __name__ == "__main__":
    sys.exit(main())
