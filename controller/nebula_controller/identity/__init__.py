"""OpenStack Identity v3 (Keystone): who a caller is, what they may do, and where the services are."""
