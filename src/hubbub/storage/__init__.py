"""Where everything acknowledged is kept."""
