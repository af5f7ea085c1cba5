"""The program in sentences: what happens in which order for each verb, and nothing about how.

One file a story. A workflow takes `Parts`, asks the rooms, and returns a report; it does not print and does not exit.
"""
