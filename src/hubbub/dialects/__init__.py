"""The protocols, purely: one module each, text in and commands out, events in and text out."""
