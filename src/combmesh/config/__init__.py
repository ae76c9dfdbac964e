"""Network files: read, check, explain. The only importer of pydantic."""
