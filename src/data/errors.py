"""What goes wrong with data, said in one line."""


class DataError(ValueError):
    """A file or field of a recording that cannot be used: names file, field, shapes and remedy."""
