"""Unit tests for pipelines: what stands in for activities. The fixture `factory` runs pipelines with it."""

from manara.testing.stubs import Stub, calls, failure, output

__all__ = ["Stub", "calls", "failure", "output"]
