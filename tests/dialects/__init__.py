"""The dialects, which need neither server nor loop."""
