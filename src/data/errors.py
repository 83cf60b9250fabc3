"""The one error of the data layer."""


class DataError(ValueError):
    """What is wrong with a recording, in one line: file, field, both shapes, remedy."""
