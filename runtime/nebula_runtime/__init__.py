"""What every Nebula program needs to run: configuration, logs, pid file and readiness, an HTTP client.

Effects: files, standard streams, signals, sockets. Knows nothing of networks.
"""
