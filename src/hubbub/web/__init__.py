"""The HTTP edge: routes, refusals, and the guards in front of them."""
