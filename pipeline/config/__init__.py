"""The configuration: strict YAML in, one frozen value out."""
