"""What `.platform/` (on the operator's machine) and `<root>/.platformctl` (on a host) remember.

For this machine: files that are old or new and never torn, the modules' states, the journal, the audit chain and the
local lock. For the host only commands are made and answers read; running them is left to transports. No clock is read:
records carry the time their caller gives them.
"""
