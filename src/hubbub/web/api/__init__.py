"""The server's own REST, and the two of document 001."""
