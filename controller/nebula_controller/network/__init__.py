"""The OpenStack Network API v2.0: networks, subnets, ports, routers, and what clients ask for around them."""
