"""One suite for each of the places where adapters plug in; every adapter passes all of it."""
