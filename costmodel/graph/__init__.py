"""The graph of a network: nodes, the domains of their values, and chains of scales and biases."""
