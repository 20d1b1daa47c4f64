"""Each document's REST, in its own words."""
