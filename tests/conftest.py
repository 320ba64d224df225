"""Settings for all floors.

hypothesis: no ``explain`` phase, which traces every line of every example (before Python 3.12 that is most of the
time of a test); the same examples in every run of continuous integration, fresh ones by hand.
"""

from __future__ import annotations

import os

from hypothesis import Phase, settings

settings.register_profile(
    "nebula",
    phases=(Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink),
    deadline=None,
    derandomize=bool(os.environ.get("CI")),
)
settings.load_profile("nebula")
