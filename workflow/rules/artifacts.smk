# Metrics → tables and figures.
