"""What should change, why, and in which steps: pure functions from what is wanted and what was seen to a plan."""
