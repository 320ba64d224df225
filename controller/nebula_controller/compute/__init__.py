"""The servers API in Nova's shape, and the flavor and image that the ``openstack`` client cannot do without.

For main: ``compute.api.compute_services(database)`` gives the services for ``create_application``. The catalogue has
``compute`` at ``<url>/compute/v2.1`` and ``image`` at ``<url>/image``.
"""
