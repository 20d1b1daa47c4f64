"""What clients and server say to one another; `replay` explains the files."""
