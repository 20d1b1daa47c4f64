"""The modules of the page, tested in a browser with an outside that the tests bring."""
