"""What people and programs see of a report. Everything that is written passes the one sink, `platformctl.redaction`."""
