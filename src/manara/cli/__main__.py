"""`python -m manara.cli` does what `manara` does."""

from manara.cli.main import main

main()
