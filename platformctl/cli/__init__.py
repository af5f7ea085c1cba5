"""The one door to people: click reads words, a workflow answers with a report, and the report is printed.

One file a verb. A verb's function reads its options, calls one workflow and returns its report; it does not print,
exit or catch.
"""
