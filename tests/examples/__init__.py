"""The documents' own examples, as they are printed, against the real server in development mode."""
