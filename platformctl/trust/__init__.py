"""Who said what about which bytes: envelopes, signatures, approvals, and the rules that make a `VerifiedPlan`.

Everything here is pure except `keys`, which alone runs ssh-keygen. Signed bytes are verified first and parsed after;
what identifies a plan is always the digest of its payload, never a signature.
"""
