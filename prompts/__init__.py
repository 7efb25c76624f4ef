"""Every word that a model reads, as templates, with their evals beside them; no code."""
