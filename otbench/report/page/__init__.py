"""The pages of the report: HTML and Markdown."""
