"""combmesh designs, runs and keys a fully connected quantum network driven by soliton microcombs."""

__version__ = "0.1.0"
