"""How architectures are written: literals of Python, JSON and NumPy, read without evaluating them."""
