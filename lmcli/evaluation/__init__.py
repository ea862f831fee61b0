"""How good a model or a text is: likelihood, text metrics, baselines, intervals and gates."""
