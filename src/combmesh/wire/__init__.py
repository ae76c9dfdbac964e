"""Frames of bytes over a connection; nothing here knows what they mean."""
