"""Between the database and the agents: nodes, views, receipts, placement.

For main (``from nebula_controller.nodes.southbound import Southbound``):

    southbound = Southbound(database, node_secret=secret)       # hooks into the database, reads the snapshot
    create_application(authenticator, [..., *southbound.services(), *compute_services(database)], lifespan)
    await southbound.start()                                     # the sweep over heartbeats
    southbound.release()                                         # at SIGTERM: long polls end at once, so that uvicorn
    await southbound.stop()                                      # can close its connections; then stop

Neutron's ``agents`` are among ``services()``; ``nodes.agents`` has them as functions. The table ``router_placements``
says where each router is.

This file imports nothing, so that each module here can be imported by itself.
"""
