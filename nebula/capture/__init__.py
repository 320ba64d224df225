"""Packets seen on nodes: filters, the way they travel to whoever asked, what is in them, and files of them. Pure."""
