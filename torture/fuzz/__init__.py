"""Inputs made up, mutated and given to whatever reads what people bring: expressions, build files, mappings, files."""
