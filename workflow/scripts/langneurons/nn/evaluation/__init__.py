"""A model under interventions: predictions, answers, perplexity, what is finished."""
