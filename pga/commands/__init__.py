"""One module per verb of the command line: `add_arguments(parser)`, `run(arguments)`, and an `EXAMPLE`."""
