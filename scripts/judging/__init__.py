"""What `judge.py` judges the template with: values for its parameters, the resolver, the published limits, our own rules."""
