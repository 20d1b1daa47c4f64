"""Units of work: short, named, synchronous functions of one transaction, for either database."""
