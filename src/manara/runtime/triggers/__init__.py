"""Triggers: when pipelines start by themselves, and with which values."""
