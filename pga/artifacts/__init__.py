"""Results of runs → tables, figures, report."""
