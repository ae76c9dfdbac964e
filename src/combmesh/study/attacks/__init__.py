"""Attacks as experiments: an eavesdropper in the place of the relay, and her own record of what she knows."""
