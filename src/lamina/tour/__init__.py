"""`lamina tour`: four small models on real data, with every shape shown in its four forms."""
