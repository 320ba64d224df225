"""TLS: the controller's own certificate authority, its listener, and who is at the other end of a connection."""
