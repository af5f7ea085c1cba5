"""What may be planned and applied: rules for a release, waivers, and checks of a plan whoever made it. All is pure."""

from platformctl.policy.judging import RULES, judge

__all__ = ["RULES", "judge"]
