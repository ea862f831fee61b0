"""`python -m lmcli` and the `lmcli` script."""

from __future__ import annotations

from lmcli.cli.boundary import main

if __name__ == "__main__":
    main()
