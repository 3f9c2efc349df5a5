"""The table that `Model.summary` prints."""
