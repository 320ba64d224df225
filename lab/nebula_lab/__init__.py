"""A lab: several Nebula nodes, a controller and an outside world on one machine, touching nothing of that machine.

``open_lab(name)`` gives a running lab: ``endpoint``, ``credentials``, ``nodes`` and ``enter(node, argv)``.
"""

from nebula_lab.opened import Lab, find_lab, lab_names, open_lab

__all__ = ["Lab", "find_lab", "lab_names", "open_lab"]
