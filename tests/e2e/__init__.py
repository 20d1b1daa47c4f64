"""The pages, in a browser, against the real server."""
