"""What people and programs see of a report. Everything written passes the one sink, `platformctl.redaction`."""
