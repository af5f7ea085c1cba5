"""The interpreter of plans: it runs the steps, watches what came of them, and takes them back if that is not good."""
