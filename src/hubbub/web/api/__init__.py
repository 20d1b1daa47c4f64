"""The server's own REST: logins, people, channels, and the server about itself."""
