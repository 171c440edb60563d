"""The experiments of the paper: what they do (config), their runs (runner), folders (results), figures and reports."""
