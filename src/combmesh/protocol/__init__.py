"""From counts to key length."""
