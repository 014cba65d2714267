"""Datasets whose compression is one of the columns inside the file, never of the file."""

from dataclasses import replace

from manara.plugin.dataset import DatasetGiven

_CODEC = {"compressionCodec", "compression", "compressionLevel"}


def without_codec(given: DatasetGiven) -> DatasetGiven:
    """Return the dataset without the compression, so that nobody takes its files for packed ones."""
    return replace(given, properties={name: value for name, value in given.properties.items() if name not in _CODEC})
