"""How mail leaves the server."""
