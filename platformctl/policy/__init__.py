"""What may be planned and applied: rules over a release, waivers, and the gates of a hand-made plan. All of it pure."""

from platformctl.policy.judging import RULES, judge

__all__ = ["RULES", "judge"]
