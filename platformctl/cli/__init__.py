"""The one door to people: click reads the words, a workflow returns a report, and the report is printed.

One file per verb. A verb's function reads its options, calls one workflow and returns its report; it does not print,
exit or catch.
"""
