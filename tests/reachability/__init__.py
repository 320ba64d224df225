"""Who may reach whom, by the logical model alone, compared with what packets do: see ``docs/reachability.md``."""
