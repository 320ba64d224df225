"""The case study as a show: every step is done for real in a lab, printed, and checked with captured packets."""
