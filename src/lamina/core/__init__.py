"""What everything stands on: variables, symbolic tensors, types, seeds, settings, the registry of names."""
