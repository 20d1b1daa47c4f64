"""Sockets: who is connected, what they are sent, and how it gets onto the wire."""
