"""Proofs under fault: what was acknowledged is kept, once, in one order, whatever breaks."""
