"""Strategies that work in rounds: what CTNAS and predictor-guided search are made of."""
