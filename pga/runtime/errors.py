"""The one exception that is meant for a person: the command line prints it without a traceback."""


class UserError(Exception):
    """Something the user can mend. The text names the file or key, what was found, and what is accepted."""
