"""efspec."""
