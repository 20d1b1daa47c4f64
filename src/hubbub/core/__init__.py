"""The rules, purely: no I/O, no clock, no randomness. State, time and chance are arguments."""
