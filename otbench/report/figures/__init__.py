"""The figures of the report: what is drawn, and how."""
