"""The whole reproduction on one page that opens from disk: claims, figures, tables, runs, workflow, provenance."""
