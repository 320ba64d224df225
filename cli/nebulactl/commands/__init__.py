"""One module per noun; ``nebulactl.main`` imports only the one that a call names."""
