"""What happens for each verb, and in which safe order; how each step is done is left to the rooms.

One file per story. A workflow takes `Parts`, asks the rooms, and returns a report; it does not print and does not exit.
"""
