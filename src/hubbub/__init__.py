"""Hubbub: a self-hosted real-time server for people who build applications."""

__version__ = "0.1.0"
