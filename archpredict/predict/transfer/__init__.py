"""Transfer: what labels of other spaces say of a space of which no label is known."""
