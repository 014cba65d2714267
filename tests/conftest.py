"""What tests of every room may ask for."""

from tests.postgres import postgres

__all__ = ["postgres"]
