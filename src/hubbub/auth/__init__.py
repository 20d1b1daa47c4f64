"""Credentials: access tokens, passwords, tickets. Knows no storage and no web."""
