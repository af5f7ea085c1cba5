"""The interpreter of plans: run the steps, watch what came of them, and take them back when that is not good."""
